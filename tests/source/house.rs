//! The source as its modules: which files there are, what each names of the others, and where that is defined.
//!
//! A reader of text, not a compiler: it knows imports, their aliases, re-exports and paths. Test code and comments
//! are left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A file of the library or of the command line.
pub struct Source {
    /// Below `src`.
    pub path: String,
    /// As its crate calls it: `["sessions", "load"]`.
    pub module: Vec<String>,
    /// Without test code and comments.
    pub text: String,
    pub is_binary: bool,
}

impl Source {
    pub fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    pub fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

/// A path that a file names, from its crate's root.
#[derive(Debug, Clone)]
struct Named {
    path: Vec<String>,
    /// What the file calls it, if it is imported.
    alias: String,
    is_reexport: bool,
}

pub struct House {
    pub sources: Vec<Source>,
    named: Vec<Vec<Named>>,
}

pub const BINARY: &str = "bin/sealed-session";

impl House {
    pub fn read() -> Self {
        let mut sources = Vec::new();
        for (root, is_binary) in [("lib.rs", false), ("bin/sealed-session/main.rs", true)] {
            read(root, Vec::new(), is_binary, &mut sources);
        }
        let named = sources.iter().map(|it| named(it, &sources)).collect();
        Self { sources, named }
    }

    /// The files of the module, of which there are two where a feature decides.
    fn files(&self, module: &[String], is_binary: bool) -> Vec<usize> {
        let all = self.sources.iter().enumerate();
        all.filter(|(_, it)| it.is_binary == is_binary && it.module == module)
            .map(|(index, _)| index)
            .collect()
    }

    /// The files that define what `path` names.
    fn definitions(&self, path: &[String], is_binary: bool) -> Vec<usize> {
        let longest = (0..=path.len()).rev();
        let found = longest
            .map(|length| (length, self.files(&path[..length], is_binary)))
            .find(|(_, files)| !files.is_empty());
        let (length, files) = found.unwrap();
        let Some(item) = path.get(length) else {
            return files;
        };
        let mut definitions = Vec::new();
        for file in files {
            let mut imported = self.named[file].iter().filter(|it| it.alias == *item);
            match imported.find(|it| it.path != path[..=length]) {
                Some(import) => {
                    let rest = path[length + 1..].iter();
                    let path: Vec<_> = import.path.iter().chain(rest).cloned().collect();
                    definitions.extend(self.definitions(&path, is_binary));
                }
                None => definitions.push(file),
            }
        }
        definitions
    }

    /// Which files a file names, and through which path.
    pub fn neighbours(&self, file: usize, reexports: bool) -> Vec<(usize, String)> {
        let source = &self.sources[file];
        let mut neighbours = Vec::new();
        for named in &self.named[file] {
            if named.is_reexport && !reexports {
                continue;
            }
            for other in self.definitions(&named.path, source.is_binary) {
                if other != file {
                    neighbours.push((other, named.path.join("::")));
                }
            }
        }
        neighbours
    }
}

/// Reads a file and the modules that it declares.
fn read(path: &str, module: Vec<String>, is_binary: bool, sources: &mut Vec<Source>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(root.join(path)).unwrap();
    let text = without_tests(&text);
    let folder = match path.rsplit_once('/') {
        Some((folder, "mod.rs" | "main.rs")) => folder.to_owned(),
        None => String::new(),
        Some(_) => path.trim_end_matches(".rs").to_owned(),
    };
    let folder = if folder.is_empty() {
        folder
    } else {
        folder + "/"
    };
    let mut renamed = None;
    let mut children = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(file) = line.strip_prefix("#[path = \"") {
            renamed = Some(file.trim_end_matches("\"]").to_owned());
            continue;
        }
        let declared = line.strip_suffix(';');
        let declared = declared.and_then(|line| line.split_once("mod ").map(|(_, name)| name));
        if let Some(name) = declared.filter(|name| name.chars().all(is_word)) {
            let file = renamed.take().unwrap_or_else(|| format!("{name}.rs"));
            let nested = format!("{folder}{name}/mod.rs");
            let file = match root.join(&nested).exists() {
                true => nested,
                false => format!("{folder}{file}"),
            };
            children.push((file, name.to_owned()));
        }
    }
    sources.push(Source {
        path: path.to_owned(),
        module: module.clone(),
        text,
        is_binary,
    });
    for (file, name) in children {
        let module = module.iter().cloned().chain([name]).collect();
        read(&file, module, is_binary, sources);
    }
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Without comments, and without what is declared under `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        let is_test = ["#[cfg(test)]", "#[cfg(all(test,"];
        if !is_test.iter().any(|it| line.trim().starts_with(it)) {
            let code = line.split(" // ").next().unwrap();
            kept += code;
            kept.push('\n');
            continue;
        }
        // What is declared ends with its first line, or with a brace under that.
        let indent = line.len() - line.trim_start().len();
        let mut is_first = true;
        for line in lines.by_ref() {
            if is_first && line.trim_start().starts_with('#') {
                continue;
            }
            let is_outer = line.len() - line.trim_start().len() == indent;
            let is_end = is_outer && line.trim_start().starts_with('}');
            if (is_first && line.ends_with([';', ','])) || is_end {
                break;
            }
            is_first = false;
        }
    }
    kept
}

/// All that a file names of its own crate.
fn named(source: &Source, sources: &[Source]) -> Vec<Named> {
    let mut all = Vec::new();
    let mut code = String::new();
    let mut rest = source.text.as_str();
    // Imports first, for they nest.
    while let Some(at) = import(rest) {
        code += &rest[..at];
        let (statement, after) = rest[at..].split_once(';').unwrap();
        let before = rest[..at].rsplit('\n').next().unwrap();
        let is_reexport = before.trim_start().starts_with("pub");
        let tree = statement.strip_prefix("use ").unwrap();
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        for (path, alias) in expanded(&tree) {
            if let Some(path) = absolute(&path, source, sources) {
                all.push(Named {
                    path,
                    alias,
                    is_reexport,
                });
            }
        }
        rest = after;
    }
    code += rest;
    // What is handed on and used as well is no mere re-export.
    let is_module = |line: &&str| line.ends_with(';') && line.contains("mod ");
    let lines = code.lines().filter(|line| !is_module(line));
    let words: BTreeSet<_> = lines.flat_map(|line| line.split(|c| !is_word(c))).collect();
    for named in &mut all {
        named.is_reexport &= !words.contains(named.alias.as_str());
    }
    let is_end = |c: char| !(is_word(c) || c == ':');
    for word in code.split(is_end).filter(|word| word.contains("::")) {
        let path: Vec<_> = word.split("::").map(str::to_owned).collect();
        if let Some(path) = absolute(&path, source, sources) {
            all.push(Named {
                path,
                alias: String::new(),
                is_reexport: false,
            });
        }
    }
    all
}

/// Where the next import begins.
fn import(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find("use ")?;
        let before = text[..at].rsplit('\n').next().unwrap().trim();
        if before.is_empty()
            || before == "pub"
            || (before.starts_with("pub(") && before.ends_with(')'))
        {
            return Some(at);
        }
        from = at + 4;
    }
}

/// The paths of an import, each with the name that it gets.
fn expanded(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((front, list)) = tree.split_once('{') {
        let list = list.trim_end().strip_suffix('}').unwrap();
        let front = front.trim_end_matches("::").split("::");
        let front: Vec<_> = front
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect();
        let mut depth = 0;
        let parts = list.split(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        });
        let parts = parts
            .filter(|part| !part.trim().is_empty())
            .flat_map(expanded);
        return parts
            .map(|(path, alias)| {
                let is_itself = path == ["self"];
                let path = path.into_iter().filter(|_| !is_itself);
                let path: Vec<_> = front.iter().cloned().chain(path).collect();
                let alias = match is_itself {
                    true => path.last().cloned().unwrap(),
                    false => alias,
                };
                (path, alias)
            })
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path: Vec<_> = path.trim().split("::").map(str::to_owned).collect();
    let alias = match alias.trim() {
        "" => path.last().cloned().unwrap(),
        alias => alias.to_owned(),
    };
    vec![(path, alias)]
}

/// A path from the root, if it is one of the crate's own.
fn absolute(path: &[String], source: &Source, sources: &[Source]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let from = |module: &[String], rest: &[String]| Some([module, rest].concat());
    match first.as_str() {
        "crate" => from(&[], rest),
        "self" => from(&source.module, rest),
        "super" => {
            let (_, parent) = source.module.split_last()?;
            match rest.split_first() {
                Some((first, rest)) if first == "super" => from(parent.split_last()?.1, rest),
                _ => from(parent, rest),
            }
        }
        _ => {
            let child = [source.module.as_slice(), std::slice::from_ref(first)].concat();
            let is_child = |it: &Source| it.is_binary == source.is_binary && it.module == child;
            sources
                .iter()
                .any(is_child)
                .then(|| [child.as_slice(), rest].concat())
        }
    }
}
