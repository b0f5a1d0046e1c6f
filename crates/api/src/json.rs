//! JSON that is passed on as text: shortened without being understood, so that numbers and order survive.

/// Valid JSON without blanks between its tokens (and so on one line), and how deep it nests.
pub(crate) fn compact(json: &str) -> (String, usize) {
    let mut text = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    let (mut depth, mut deepest) = (0_usize, 0);
    for letter in json.chars() {
        if inside {
            inside = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else {
            match letter {
                ' ' | '\t' | '\n' | '\r' => continue,
                '"' => inside = true,
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest = deepest.max(depth);
        text.push(letter);
    }
    (text, deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_only_between_tokens() {
        let (text, depth) = compact("{ \"a \\\" { \" : [ 1 , { } ],\r\n\t\"b\\\\\" : null }");
        assert_eq!(text, "{\"a \\\" { \":[1,{}],\"b\\\\\":null}");
        assert_eq!(depth, 3);
        assert_eq!(compact("\"x\""), ("\"x\"".into(), 0));
    }
}
