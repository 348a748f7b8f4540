//! The page: one HTML file that loads no other file.

use super::mathml::mathml;
use super::{Block, Deck, Figure, LIVE, Section};
use crate::Result;
use crate::report::scene::{css_colours, escaped};

/// The style sheet of every page; `LIGHT` and `DARK` are replaced by the colours.
const STYLE: &str = "\
:root{color-scheme:light dark;LIGHT--page:#f6f7f8}
@media (prefers-color-scheme:dark){:root{DARK--page:#0d0f12}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:17px/1.6 'Noto Sans',system-ui,sans-serif}
main{max-width:1200px;margin:0 auto;padding:1.5rem 1rem 4rem}
header{padding:1.5rem 0 .5rem}
h1{font-size:2.1rem;line-height:1.2;margin:0 0 .6rem}
h2{font-size:1.4rem;margin:0 0 .8rem}
header p,.note{color:var(--soft);margin:.3rem 0;max-width:52rem}
nav ol{columns:2;padding-left:1.4rem;margin:1rem 0 0}
nav a{color:var(--series-0);text-decoration:none}
nav a:hover{text-decoration:underline}
section{background:var(--paper);border:1px solid var(--faint);border-radius:10px;padding:1.6rem 1.8rem;margin:1.4rem 0}
section p{max-width:52rem}
figure{margin:1.2rem 0}
figure svg{display:block;max-width:100%;height:auto;margin:0 auto;font-family:'Noto Sans',system-ui,sans-serif}
.wide{overflow-x:auto}
figcaption{max-width:52rem;margin:.9rem auto 0}
figcaption strong{display:block}
.equation{display:grid;grid-template-columns:1fr auto;align-items:center;gap:1rem;margin:.35rem 0}
.equation span{color:var(--soft)}
math{font-size:1.08em;font-family:'Cambria Math','STIX Two Math','Latin Modern Math','Noto Sans Math',math}
.braced{border-bottom:1.5px solid var(--series-1);padding-bottom:.2em}
.equation>div{overflow-x:auto;overflow-y:hidden;padding:.25rem 0}
table{border-collapse:collapse;margin:1rem auto;font-variant-numeric:tabular-nums;font-size:.92em}
th,td{padding:.3rem .9rem;text-align:right;border-bottom:1px solid var(--faint)}
th{color:var(--soft);font-weight:600}
th:first-child,td:first-child{text-align:left}
@media (max-width:640px){section{padding:1rem}nav ol{columns:1}}
@media print{section{break-inside:avoid;border:0}}";

impl Deck {
    /// The page as HTML: figures as inline SVG, equations as MathML, light or dark like the reader's system.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if an equation of the program is not in its notation.
    pub fn html(&self) -> Result<String> {
        let [light, dark] = css_colours();
        let style = STYLE.replace("LIGHT", &light).replace("DARK", &dark);
        let mut body = String::new();
        let mut contents = String::new();
        for (number, section) in self.sections.iter().enumerate() {
            contents += &format!("<li><a href=\"#part-{number}\">{}</a></li>", escaped(section.heading));
            body += &format!("<section id=\"part-{number}\">{}</section>\n", section.html()?);
        }
        Ok(format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>Variational autoencoders, computed</title><style>{style}</style></head>\n<body><main>\
             <header><h1>Variational autoencoders, computed</h1>\
             <p>Every figure was computed when this page was written, by the program that trains the model, and every \
             number in the text comes from that run.</p><p>{}</p>\
             <p><a href=\"{LIVE}\">Open the model live</a>: drag through its latent space, draw an image, train it.</p>\
             <nav><ol>{contents}</ol></nav></header>\n{body}\
             <p class=\"note\">Sources: D. P. Kingma and M. Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114; \
             D. Koller and N. Friedman, Probabilistic Graphical Models, 2009. Equations are numbered as in the talk that \
             these figures follow.</p></main></body></html>\n",
            escaped(&self.facts)
        ))
    }
}

impl Section {
    fn html(&self) -> Result<String> {
        let mut html = format!("<h2>{}</h2>", escaped(self.heading));
        for block in &self.blocks {
            html += &match block {
                Block::Text(text) => format!("<p>{}</p>", escaped(text)),
                Block::Equation(equation, number) => {
                    let number = match *number {
                        "" => String::new(),
                        number if number.starts_with(|c: char| c.is_ascii_digit()) => format!("({number})"),
                        name => name.to_string(),
                    };
                    format!(
                        "<div class=\"equation\"><div>{}</div><span>{number}</span></div>",
                        mathml(equation)?
                    )
                }
                Block::Figure(figure) => figure.html(),
                Block::Table(head, rows) => {
                    let cells = |tag: &str, row: &[String]| -> String {
                        row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(&minus(cell)))).collect()
                    };
                    let rows: String =
                        rows.iter().map(|row| format!("<tr>{}</tr>", cells("td", row))).collect();
                    format!(
                        "<div class=\"wide\"><table><thead><tr>{}</tr></thead><tbody>{rows}</tbody></table></div>",
                        cells("th", head)
                    )
                }
            };
        }
        Ok(html)
    }
}

/// `text` with a true minus sign before digits, where no letter or digit stands before it.
fn minus(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let sign = character == '-'
            && !before.is_alphanumeric()
            && characters.peek().is_some_and(char::is_ascii_digit);
        written.push(if sign { '−' } else { character });
        before = character;
    }
    written
}

impl Figure {
    fn html(&self) -> String {
        let [first, second] = &self.caption;
        format!(
            "<figure id=\"{}\"><div class=\"wide\">{}</div><figcaption><strong>{}</strong>{} {}</figcaption></figure>",
            self.name,
            self.scene.to_svg(&self.title),
            escaped(&self.title),
            escaped(&minus(first)),
            escaped(&minus(second))
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_signs_become_minus() {
        assert_eq!(
            super::minus("-1.5, (-2) Gauss-Hermite 2-D 784-500"),
            "−1.5, (−2) Gauss-Hermite 2-D 784-500"
        );
    }
}
