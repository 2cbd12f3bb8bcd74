//! Java's regular expressions in the words of the matcher that is used here.
//!
//! Character classes such as `\d` are those of ASCII in Java; a few escapes have other names. What a
//! matcher in linear time does not have (looking around, references back, possessive quantifiers) is
//! refused by name: read as something else it would match something else.

use crate::error::{Error, Result};

const SPACE: &str = r" \t\n\x0B\f\r";
const WORD: &str = "a-zA-Z0-9_";

/// The same pattern for the matcher.
pub(super) fn translated(pattern: &str) -> Result<String> {
    let refuse = |what: &str| Err(Error::unsupported(format!("{what} in the regular expression '{pattern}'")));
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut depth = 0_usize;
    // Whether what stands before can be followed by a possessive +.
    let mut quantified = false;
    while let Some(c) = chars.next() {
        let after_quantifier = std::mem::take(&mut quantified);
        match c {
            '\\' => match chars.next() {
                Some('Q') => {
                    let rest: String = chars.clone().collect();
                    let end = rest.find("\\E");
                    let quoted = &rest[..end.unwrap_or(rest.len())];
                    out.push_str(&regex::escape(quoted));
                    let skip = quoted.chars().count() + if end.is_some() { 2 } else { 0 };
                    for _ in 0..skip {
                        chars.next();
                    }
                }
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str(&format!("[{WORD}]")),
                Some('W') => out.push_str(&format!("[^{WORD}]")),
                Some('s') => out.push_str(&format!("[{SPACE}]")),
                Some('S') => out.push_str(&format!("[^{SPACE}]")),
                Some('h') => out.push_str(r"[ \t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]"),
                Some('R') => out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])"),
                Some('Z') => out.push_str(r"\n?\z"),
                Some('e') => out.push_str(r"\x1B"),
                Some('u') => {
                    let digits: String = chars.clone().take(4).collect();
                    for _ in 0..4 {
                        chars.next();
                    }
                    out.push_str(&format!("\\x{{{digits}}}"));
                }
                Some(p @ ('p' | 'P')) if chars.peek() == Some(&'{') => {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let negated = if p == 'P' { "^" } else { "" };
                    match posix(&name) {
                        Some(class) => out.push_str(&format!("[[:{negated}{class}:]]")),
                        None => out.push_str(&format!("\\{p}{{{}}}", name.strip_prefix("Is").unwrap_or(&name))),
                    }
                }
                Some('1'..='9' | 'k') => return refuse("a reference back"),
                Some('G') => return refuse("\\G"),
                Some(letter) if letter.is_ascii_alphanumeric() => out.extend(['\\', letter]),
                Some(other) => out.push_str(&regex::escape(&other.to_string())),
                None => return Err(Error::value(format!("bad regular expression '{pattern}': it ends with a backslash"))),
            },
            '[' => {
                depth += 1;
                out.push(c);
            }
            ']' => {
                depth = depth.saturating_sub(1);
                out.push(c);
            }
            _ if depth > 0 => out.push(c),
            '(' if chars.peek() == Some(&'?') => {
                let mut ahead = chars.clone().skip(1);
                match (ahead.next(), ahead.next()) {
                    (Some('=' | '!'), _) | (Some('<'), Some('=' | '!')) => return refuse("looking around"),
                    (Some('>'), _) => return refuse("an atomic group"),
                    _ => out.push(c),
                }
            }
            '+' if after_quantifier => return refuse("a possessive quantifier"),
            '*' | '+' | '?' | '}' => {
                // The ? of a lazy quantifier is the last one.
                quantified = !(after_quantifier && c == '?' || out.ends_with('('));
                out.push(c);
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "lower",
        "Upper" => "upper",
        "ASCII" => "ascii",
        "Alpha" => "alpha",
        "Digit" => "digit",
        "Alnum" => "alnum",
        "Punct" => "punct",
        "Graph" => "graph",
        "Print" => "print",
        "Blank" => "blank",
        "Cntrl" => "cntrl",
        "XDigit" => "xdigit",
        "Space" => "space",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn classes_are_those_of_ascii_and_the_rest_is_refused() {
        assert_eq!(translated(r"\d+[\w.]\<").unwrap(), "[0-9]+[[a-zA-Z0-9_].]<");
        assert_eq!(translated(r"a\Q.*\Eb").unwrap(), r"a\.\*b");
        assert_eq!(translated(r"(?<name>a+?)\p{Alpha}").unwrap(), "(?<name>a+?)[[:alpha:]]");
        for refused in [r"(a)\1", "(?=a)", "(?<!a)b", "a++", "a{2}+", "(?>a)"] {
            assert!(translated(refused).unwrap_err().message().contains("regular expression"), "{refused}");
        }
    }
}
