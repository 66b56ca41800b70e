//! What is wrong in a text that holds secrets, without showing any.

/// How long the name of a setting may be. Of what is longer or has other characters, nobody knows what it is.
const LONGEST_NAME: usize = 20;

/// What is wrong in a TOML text and in which line, without what stands there. Where it is a setting's value, the
/// setting is named.
pub(crate) fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.bytes().take(start);
    let line = 1 + before.filter(|byte| *byte == b'\n').count();
    let setting = text.get(..start).and_then(setting_before);
    let setting = setting.map_or_else(String::new, |name| format!("setting `{name}`: "));
    format!("line {line}: {setting}{}", without_values(error.message()))
}

/// The setting whose value begins at the end of `text`.
fn setting_before(text: &str) -> Option<String> {
    let (before, line) = text.rsplit_once('\n').unwrap_or(("", text));
    let (name, _) = line.split_once('=')?;
    let name = known_form(name)?;
    let mut lines = before.lines().rev();
    let table = lines.find(|line| line.starts_with('['));
    match table.map(|line| line.split('#').next().unwrap_or(line).trim_end()) {
        None => Some(name.to_owned()),
        Some(header) => {
            let table = header.strip_prefix('[')?.strip_suffix(']')?;
            Some(format!("{}.{name}", known_form(table)?))
        }
    }
}

/// The name, if it has the form of a setting's and so cannot be a secret.
fn known_form(name: &str) -> Option<&str> {
    let name = name.trim();
    let is_one = |name: &str| {
        let is_short = (1..=LONGEST_NAME).contains(&name.len());
        is_short && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    name.split('.').all(is_one).then_some(name)
}

/// A parser's message without the values that it quotes: a secret in the wrong place is one of them.
fn without_values(message: &str) -> String {
    // "invalid type: string "..", expected a sequence": what was expected says enough.
    let quotes_a_value = ["invalid type:", "invalid value:"]
        .iter()
        .any(|start| message.starts_with(start));
    let message = match message.split_once("expected ") {
        Some((_, expected)) if quotes_a_value => {
            format!("wrong type, expected {expected}")
        }
        _ => message.to_owned(),
    };
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
    let words = message.split_inclusive(|c| !is_base64(c));
    // Ids, at 32 characters, are in our own messages only.
    words
        .map(|word| if word.len() > 34 { "..." } else { word })
        .collect::<String>()
        .replace('\n', " ")
}
