//! Tables and numbers for people, and settings as text.

/// Let a type be written and read by serde as its text, that of `Display` and `FromStr`. The type has the attribute
/// `#[serde(try_from = "String", into = "String")]`.
macro_rules! text_serde {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = <Self as std::str::FromStr>::Err;

            fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}
pub(crate) use text_serde;

/// `rows` under `head`, in columns as wide as their widest entry; a column whose name in `head` begins with `>` is
/// aligned to the right. Every line ends with a line break.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let right = head.map(|name| name.starts_with('>'));
    let head = head.map(|name| name.trim_start_matches('>').to_string());
    let mut widths = head.each_ref().map(|name| name.chars().count());
    for row in rows {
        for (width, entry) in widths.iter_mut().zip(row) {
            *width = (*width).max(entry.chars().count());
        }
    }
    let mut text = String::new();
    let rule = widths.map(|width| "─".repeat(width));
    for row in [&head, &rule].into_iter().chain(rows) {
        let mut line = String::new();
        for (column, entry) in row.iter().enumerate() {
            let width = widths[column];
            line += &if right[column] { format!("{entry:>width$}  ") } else { format!("{entry:<width$}  ") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A size in bytes with a binary unit: `1.5 MiB`.
pub fn human_bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// A number with a decimal prefix: `1.5 M`.
pub fn human_number(number: f64) -> String {
    scaled(number, 1000.0, &["", "k", "M", "G", "T", "P", "E"]).trim_end().to_string()
}

fn scaled(mut value: f64, base: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // 999.96 k would be written as 1000.0 k.
    while value >= (if unit == 0 { base } else { base - 0.05 }) && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} {}", units[0]) } else { format!("{value:.1} {}", units[unit]) }
}

/// `12345` as `12,345`.
pub fn thousands(value: usize) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> = (0..digits.len().div_ceil(3))
        .rev()
        .map(|group| {
            let end = digits.len() - 3 * group;
            &digits[end.saturating_sub(3)..end]
        })
        .collect();
    groups.join(",")
}

/// A standard error with `digits` decimals; `unknown` if there is none, as for an average of one value.
pub fn error_text(error: f64, digits: usize) -> String {
    if error.is_nan() { "unknown".to_string() } else { format!("{error:.digits$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "1"], ["longer", "10,000"]].map(|row| row.map(str::to_string));
        let text = table(["name", ">number"], &rows);
        assert_eq!(text, "name    number\n──────  ──────\na            1\nlonger  10,000\n");
        assert_eq!(table(["é"], &[]), "é\n─\n");
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!(
            [0, 1023, 1024, 1_572_864, u64::MAX].map(human_bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16.0 EiB"]
        );
        assert_eq!([0.0, 999.0, 999_960.0, 2.5e9].map(human_number), ["0", "999", "1.0 M", "2.5 G"]);
    }
    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
