//! Names of `key=value` directories, as Hive and Spark write them.

/// The directory value of NULL and of the empty string.
pub const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The characters that Hive writes as `%XX`, beside the control characters and DEL.
const ESCAPED: &str = "\"#%'*/:=?\\{[]^";

/// A column's name or a value as a part of a directory's name: no separator, no `=`, no NUL is left.
///
/// ```
/// assert_eq!(skep::catalog::escape_partition("10:30 a/b"), "10%3A30 a%2Fb");
/// ```
pub fn escape_partition(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c < ' ' || c == '\x7f' || ESCAPED.contains(c) {
            escaped.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Undoes `%XX`; what is no such escape stays as it is.
pub fn unescape_partition(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let byte = hex
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        plain.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(plain).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn values_are_escaped_as_hive_does() {
        assert_eq!(escape_partition("a b}é~"), "a b}é~");
        assert_eq!(escape_partition("\"#%'*/:=?\\{[]^"), "%22%23%25%27%2A%2F%3A%3D%3F%5C%7B%5B%5D%5E");
        assert_eq!(escape_partition("\0\u{1}\n\u{7f}"), "%00%01%0A%7F");
        assert_eq!(escape_partition(".."), "..");
        assert_eq!(unescape_partition("a%2Fb%20c"), "a/b c");
        assert_eq!(unescape_partition("100%"), "100%");
        assert_eq!(unescape_partition("%zz%4"), "%zz%4");
        assert_eq!(unescape_partition("%C3%A9"), "é");
    }

    #[test]
    fn odd_values_come_back_and_stay_one_directory() {
        // Printed with a failure, since it is a literal.
        let mut random = StdRng::seed_from_u64(42);
        let odd: Vec<char> = "\0\u{1}\n\r/\\.%=:'\"{}[]^#*? aZ09é\u{10FFFF}\u{202E}".chars().collect();
        for _ in 0..100_000 {
            let length = random.random_range(0..12);
            let value: String = (0..length).map(|_| odd[random.random_range(0..odd.len())]).collect();
            let escaped = escape_partition(&value);
            assert!(!escaped.contains(['/', '\0', '=', '\n']), "{value:?} gives {escaped:?}");
            assert_eq!(unescape_partition(&escaped), value, "{escaped:?}");
            let name = format!("k={escaped}");
            assert_eq!(std::path::Path::new(&name).components().count(), 1, "{name:?}");
        }
    }
}
