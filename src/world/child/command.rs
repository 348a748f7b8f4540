//! A command line, taken apart without a shell.

use crate::{Error, Result};

/// The words of `line`: spaces separate them, and quotes (' or ") hold words with spaces together. No other character has a
/// meaning, so that paths of Windows stay as they are.
///
/// # Errors
/// [`Error::Setting`] if a quote is not closed or there is no word.
pub(super) fn words(line: &str) -> Result<Vec<String>> {
    let problem = |problem: &str| {
        let hint = "give a program and its arguments, such as --env \"python3 car_racing_server.py\"";
        Err(Error::setting("--env", problem, hint))
    };
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '"' || letter == '\'' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    match (quote, words.first()) {
        (Some(quote), _) => problem(&format!("the quote {quote} is not closed")),
        (None, None) => problem("the command is empty"),
        (None, Some(_)) => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        let cases: [(&str, &[&str]); 5] = [
            ("python3 server.py 4", &["python3", "server.py", "4"]),
            ("  a\t 'b c'  ", &["a", "b c"]),
            (
                r#""C:\Program Files\py.exe" -c 'print("x")'"#,
                &[r"C:\Program Files\py.exe", "-c", r#"print("x")"#],
            ),
            ("a '' --name=\"b c\"d", &["a", "", "--name=b cd"]),
            ("$HOME;ls|x", &["$HOME;ls|x"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        for (line, problem) in [("", "empty"), (" \t", "empty"), ("a 'b", "quote ' is not closed")] {
            let error = words(line).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
