//! Equations as MathML, which browsers read without any library.
//!
//! The notation is a little of TeX: `\frac{a}{b}`, `\under{a}{words below}`, `\matrix{1 & 0 \\ 0 & 1}`, `x^2`, `E_{q}`,
//! `\int` and Greek letters. `log`, `KL` and `ELBO` are words; all other letters stand for themselves.

use crate::report::scene::escaped;
use crate::{Error, Result};

/// Words that are set upright and in one piece.
const WORDS: [&str; 3] = ["log", "KL", "ELBO"];
/// Commands that are one character: an identifier, or an operator.
const CHARACTERS: [(&str, &str, &str); 10] = [
    ("int", "mo", "∫"),
    ("nabla", "mo", "∇"),
    ("beta", "mi", "β"),
    ("mu", "mi", "μ"),
    ("sigma", "mi", "σ"),
    ("Sigma", "mi", "Σ"),
    ("epsilon", "mi", "ε"),
    ("pi", "mi", "π"),
    ("theta", "mi", "θ"),
    ("phi", "mi", "φ"),
];

/// `text` as a `math` element.
///
/// # Errors
/// [`Error::Internal`] if it is not in the notation: equations are written in this program.
pub(super) fn mathml(text: &str) -> Result<String> {
    let mut reader = Reader { rest: text };
    let row = reader.row()?;
    if reader.rest.is_empty() {
        Ok(format!("<math display=\"block\"><mrow>{row}</mrow></math>"))
    } else {
        Err(reader.wrong("too many closing braces"))
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn wrong(&self, problem: &str) -> Error {
        Error::Internal(format!("equation: {problem} at '{}'", self.rest))
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// Everything up to a closing brace or bracket, the end of a matrix's entry, or the end.
    fn row(&mut self) -> Result<String> {
        let mut row = String::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty()
                || self.rest.starts_with(['}', '&', ')', ']'])
                || self.rest.starts_with(r"\\")
            {
                return Ok(row);
            }
            let base = self.atom()?;
            row += &self.with_scripts(base)?;
        }
    }

    fn with_scripts(&mut self, base: String) -> Result<String> {
        let tag = match self.rest.chars().next() {
            Some('_') => "msub",
            Some('^') => "msup",
            _ => return Ok(base),
        };
        self.take(1);
        let script = if self.rest.starts_with('{') { self.group()? } else { self.atom()? };
        Ok(format!("<{tag}>{base}{script}</{tag}>"))
    }

    /// `{...}`
    fn group(&mut self) -> Result<String> {
        if !self.rest.starts_with('{') {
            return Err(self.wrong("a group should begin"));
        }
        self.take(1);
        let row = self.row()?;
        if !self.rest.starts_with('}') {
            return Err(self.wrong("a group should end"));
        }
        self.take(1);
        Ok(format!("<mrow>{row}</mrow>"))
    }

    /// `(...)` or `[...]`, as tall as what is inside.
    fn brackets(&mut self) -> Result<String> {
        let open = self.take(1);
        let row = self.row()?;
        let close = if open == "(" { ")" } else { "]" };
        if !self.rest.starts_with(close) {
            return Err(self.wrong("a bracket should close"));
        }
        self.take(1);
        let stretchy = row.contains("<mfrac>");
        let side = |sign: &str| format!("<mo stretchy=\"{stretchy}\">{sign}</mo>");
        Ok(format!("<mrow>{}{row}{}</mrow>", side(open), side(close)))
    }

    fn atom(&mut self) -> Result<String> {
        let Some(first) = self.rest.chars().next() else { return Err(self.wrong("something is missing")) };
        let length = |fits: fn(char) -> bool, text: &str| text.find(|c| !fits(c)).unwrap_or(text.len());
        match first {
            '\\' => {
                self.take(1);
                let name = self.take(length(|c| c.is_ascii_alphabetic(), self.rest));
                self.command(name)
            }
            '0'..='9' => {
                let number = self.take(length(|c| c.is_ascii_digit() || c == '.', self.rest));
                Ok(format!("<mn>{number}</mn>"))
            }
            'a'..='z' | 'A'..='Z' => {
                for word in WORDS {
                    if self.rest.starts_with(word) {
                        self.take(word.len());
                        // A function's name keeps its distance from an argument without brackets.
                        let space = if word == "log" { "<mspace width=\"0.17em\"/>" } else { "" };
                        return Ok(format!("{space}<mi>{word}</mi>{space}"));
                    }
                }
                Ok(format!("<mi>{}</mi>", self.take(1)))
            }
            '|' => {
                let sign = if self.rest.starts_with("||") { "∥" } else { "|" };
                self.take(sign.chars().count().max(if sign == "∥" { 2 } else { 1 }));
                Ok(format!("<mo stretchy=\"false\" lspace=\"0.15em\" rspace=\"0.15em\">{sign}</mo>"))
            }
            '(' | '[' => self.brackets(),
            '-' | '+' | '=' | ',' | '~' => {
                let sign = match self.take(1) {
                    "-" => "−",
                    "~" => "∼",
                    other => other,
                };
                Ok(format!("<mo>{sign}</mo>"))
            }
            _ => Err(self.wrong("not in the notation")),
        }
    }

    fn command(&mut self, name: &str) -> Result<String> {
        if let Some((_, tag, character)) = CHARACTERS.iter().find(|(known, ..)| *known == name) {
            return Ok(format!("<{tag}>{character}</{tag}>"));
        }
        match name {
            "frac" => {
                let (above, below) = (self.group()?, self.group()?);
                Ok(format!("<mfrac>{above}{below}</mfrac>"))
            }
            "under" => {
                let above = self.group()?;
                if !self.rest.starts_with('{') {
                    return Err(self.wrong("words should follow"));
                }
                self.take(1);
                let end = self.rest.find('}').ok_or_else(|| self.wrong("the words do not end"))?;
                let words = escaped(self.take(end));
                self.take(1);
                Ok(format!("<munder><mrow class=\"braced\">{above}</mrow><mtext>{words}</mtext></munder>"))
            }
            "matrix" => self.matrix(),
            _ => Err(self.wrong("an unknown command")),
        }
    }

    fn matrix(&mut self) -> Result<String> {
        self.take(1);
        let mut rows = String::from("<mtr>");
        loop {
            rows += &format!("<mtd>{}</mtd>", self.row()?);
            if self.rest.starts_with('&') {
                self.take(1);
            } else if self.rest.starts_with(r"\\") {
                self.take(2);
                rows += "</mtr><mtr>";
            } else if self.rest.starts_with('}') {
                self.take(1);
                return Ok(format!("<mrow><mo>[</mo><mtable>{rows}</mtr></mtable><mo>]</mo></mrow>"));
            } else {
                return Err(self.wrong("a matrix does not end"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(text: &str) -> String {
        let math = mathml(text).unwrap();
        math.replace("<math display=\"block\"><mrow>", "").replace("</mrow></math>", "")
    }

    #[test]
    fn the_notation_becomes_elements() {
        assert_eq!(inner("x = 0.5"), "<mi>x</mi><mo>=</mo><mn>0.5</mn>");
        assert_eq!(inner(r"\frac{a}{b}"), "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>");
        assert_eq!(inner(r"\sigma^2"), "<msup><mi>σ</mi><mn>2</mn></msup>");
        assert_eq!(inner(r"E_{q}"), "<msub><mi>E</mi><mrow><mi>q</mi></mrow></msub>");
        assert!(inner("KL(q||p)").contains("∥") && !inner("p(x|z)").contains('∥'));
        assert!(
            inner("p(x)").contains("stretchy=\"false\"")
                && inner(r"(\frac{a}{b})").contains("stretchy=\"true\"")
        );
        assert_eq!(inner(r"\matrix{1 & 0 \\ 0 & 1}").matches("<mtd>").count(), 4);
        assert!(inner(r"\under{a}{b < c}").ends_with("<mtext>b &lt; c</mtext></munder>"));
    }

    #[test]
    fn what_is_not_in_the_notation_is_refused() {
        for text in ["}", r"\frac{a}", r"\unknown", "{", r"\matrix{1 & 2", "a_", "é", "(a", "a)", "(a]"] {
            assert!(mathml(text).is_err(), "{text}");
        }
    }
}
