//! What is wrong in a text that holds secrets, without showing any.

/// What is wrong in a TOML text and in which line, without what stands there.
pub(crate) fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.bytes().take(start);
    let line = 1 + before.filter(|byte| *byte == b'\n').count();
    format!("line {line}: {}", without_values(error.message()))
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
