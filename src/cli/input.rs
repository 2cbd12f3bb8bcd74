//! Whether typed text is a whole statement.
//!
//! The shell reads lines until a `;` that stands outside strings, quoted names and comments. The
//! same small automaton finds the word under the cursor for completion.

/// Where the text leaves off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Nothing but blanks and comments.
    Empty,
    /// A `;` is the last thing that counts.
    Complete,
    /// More is to come.
    Incomplete,
}

/// Looks through `text` once. Quotes are `'`, `"` and `` ` ``; a backslash escapes in the first
/// two; comments are `-- ...` and `/* ... */`, which nest as Spark's do.
pub fn completeness(text: &str) -> Completeness {
    let mut state = Completeness::Empty;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '-' if rest.peek() == Some(&'-') => {
                if !rest.by_ref().any(|c| c == '\n') {
                    break;
                }
            }
            '/' if rest.peek() == Some(&'*') => {
                rest.next();
                if !skip_comment(&mut rest) {
                    return Completeness::Incomplete;
                }
            }
            '\'' | '"' | '`' => {
                state = Completeness::Incomplete;
                if !skip_quoted(c, &mut rest) {
                    return state;
                }
            }
            ';' => state = Completeness::Complete,
            c if c.is_whitespace() => {}
            _ => state = Completeness::Incomplete,
        }
    }
    state
}

/// The name under a cursor at the end of `text`: where it starts, in bytes.
pub fn word_start(text: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or(text.len(), |(at, _)| at)
}

fn skip_quoted(quote: char, rest: &mut impl Iterator<Item = char>) -> bool {
    while let Some(c) = rest.next() {
        match c {
            '\\' if quote != '`' => _ = rest.next(),
            c if c == quote => return true,
            _ => {}
        }
    }
    false
}

fn skip_comment(rest: &mut std::iter::Peekable<impl Iterator<Item = char>>) -> bool {
    let mut depth = 1;
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('*', Some('/')) => {
                rest.next();
                depth -= 1;
                if depth == 0 {
                    return true;
                }
            }
            ('/', Some('*')) => {
                rest.next();
                depth += 1;
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_a_semicolon_that_counts() {
        use Completeness::*;
        for (text, expected) in [
            ("", Empty),
            ("  -- only a comment", Empty),
            ("/* one */ ", Empty),
            ("select 1", Incomplete),
            ("select 1;", Complete),
            ("select 1; -- done", Complete),
            ("select 1; /* done */\n", Complete),
            ("select 1; select", Incomplete),
            ("select ';'", Incomplete),
            ("select 'it''s;", Incomplete),
            ("select 'it''s';", Complete),
            (r"select 'a\';", Incomplete),
            (r"select 'a\\';", Complete),
            (r"select `a\`;", Complete),
            ("select \"a;", Incomplete),
            ("select 1 -- ;", Incomplete),
            ("select 1 -- it's\n;", Complete),
            ("select 1 /* ; ", Incomplete),
            ("select 1 /* /* ; */ ; */", Incomplete),
            ("select 4 / 2 - 1;", Complete),
        ] {
            assert_eq!(completeness(text), expected, "{text:?}");
        }
    }

    #[test]
    fn words_for_completion() {
        assert_eq!(word_start("select * from line"), 14);
        assert_eq!(word_start("select l."), 7);
        assert_eq!(word_start("select ("), 8);
        assert_eq!(word_start("żó"), 0);
    }
}
