//! Structured field values of HTTP headers (RFC 8941), as far as they are needed: strings.

/// The content of a string that is written in quotes; `None` if it is not well formed or something follows it.
pub(super) fn unquote(text: &str) -> Option<String> {
    let mut characters = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut content = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => content.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => content.push(other),
        }
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_stands_in_quotes_and_escapes_quotes_and_backslashes() {
        for (text, content) in
            [(r#""""#, ""), (r#""order 1""#, "order 1"), (r#""a\"b\\c""#, r#"a"b\c"#), (r#""\\""#, r"\")]
        {
            assert_eq!(unquote(text).as_deref(), Some(content), "{text}");
        }
        for text in ["", "a", "\"", r#""a"#, r#"a""#, r#""a"b""#, r#""a\n""#, r#""a\""#, r#""a";b"#] {
            assert_eq!(unquote(text), None, "{text}");
        }
    }
}
