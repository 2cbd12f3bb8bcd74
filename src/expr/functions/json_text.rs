//! JSON texts: parsed, asked by a path, typed, written again.
//!
//! A parser of our own keeps numbers as they are written and the order of members, stops at a depth,
//! and takes what Spark takes beside the standard: single quotes, NaN and infinities.

use super::super::parse;
use super::signature::{list_of, struct_of};
use arrow::datatypes::DataType;

/// Deeper values are refused: reading and dropping them recurses.
const DEPTH_MAX: usize = 512;

/// A parsed text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Json {
    /// None where the text is not one JSON value.
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let json = reader.value(0)?;
        reader.blank();
        (reader.at == text.len()).then_some(json)
    }

    /// The value at the front of the text, whatever follows.
    pub fn front(text: &str) -> Option<Self> {
        Reader { text, at: 0 }.value(0)
    }

    /// The type that fits the value.
    pub fn schema(&self) -> DataType {
        match self {
            Self::Null => DataType::Utf8View,
            Self::Bool(_) => DataType::Boolean,
            Self::Number(text) if text.contains(['.', 'e', 'E']) => DataType::Float64,
            Self::Number(text) if text.parse::<i64>().is_ok() => DataType::Int64,
            Self::Number(text) => {
                let digits = text.trim_start_matches('-').len();
                if digits <= 38 { DataType::Decimal128(digits as u8, 0) } else { DataType::Float64 }
            }
            Self::Text(_) => DataType::Utf8View,
            Self::Array(items) => {
                let merged = items.iter().map(|item| if *item == Self::Null { DataType::Null } else { item.schema() });
                let item = merged.reduce(merge).unwrap_or(DataType::Null);
                list_of(if item == DataType::Null { DataType::Utf8View } else { item })
            }
            Self::Object(members) => {
                let mut fields: Vec<(String, DataType)> =
                    members.iter().map(|(name, json)| (name.clone(), json.schema())).collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                struct_of(fields)
            }
        }
    }
}

/// The type that values of both types are read as.
fn merge(left: DataType, right: DataType) -> DataType {
    use DataType as T;
    match (left, right) {
        (l, r) if l == r => l,
        (T::Null, other) | (other, T::Null) => other,
        (T::Int64, T::Float64) | (T::Float64, T::Int64) => T::Float64,
        (T::List(l), T::List(r)) => list_of(merge(l.data_type().clone(), r.data_type().clone())),
        (T::Struct(l), T::Struct(r)) => {
            let mut fields: Vec<(String, T)> = l.iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
            for field in &r {
                match fields.iter_mut().find(|(name, _)| name == field.name()) {
                    Some((_, known)) => *known = merge(known.clone(), field.data_type().clone()),
                    None => fields.push((field.name().clone(), field.data_type().clone())),
                }
            }
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            struct_of(fields)
        }
        _ => T::Utf8View,
    }
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blank(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.blank();
        match self.rest().chars().next()? {
            '{' => {
                self.at += 1;
                let mut members = Vec::new();
                self.blank();
                if self.eat("}") {
                    return Some(Json::Object(members));
                }
                loop {
                    self.blank();
                    let name = self.string()?;
                    self.blank();
                    if !self.eat(":") {
                        return None;
                    }
                    members.push((name, self.value(depth + 1)?));
                    self.blank();
                    if self.eat("}") {
                        return Some(Json::Object(members));
                    }
                    if !self.eat(",") {
                        return None;
                    }
                }
            }
            '[' => {
                self.at += 1;
                let mut items = Vec::new();
                self.blank();
                if self.eat("]") {
                    return Some(Json::Array(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    self.blank();
                    if self.eat("]") {
                        return Some(Json::Array(items));
                    }
                    if !self.eat(",") {
                        return None;
                    }
                }
            }
            '"' | '\'' => self.string().map(Json::Text),
            't' => self.eat("true").then_some(Json::Bool(true)),
            'f' => self.eat("false").then_some(Json::Bool(false)),
            'n' => self.eat("null").then_some(Json::Null),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<Json> {
        for name in ["NaN", "Infinity", "-Infinity", "+Infinity", "INF", "-INF", "+INF"] {
            if self.eat(name) {
                return Some(Json::Number(name.to_owned()));
            }
        }
        let rest = self.rest();
        let len = rest.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(rest.len());
        let text = rest[..len].to_owned();
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if !digits.starts_with(|c: char| c.is_ascii_digit())
            || leading_zero
            || text.parse::<f64>().is_err()
            || text.ends_with('.')
        {
            return None;
        }
        self.at += len;
        Some(Json::Number(text))
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest().chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let mut out = String::new();
        let rest = &self.text[self.at + 1..];
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at += at + 2;
                    return Some(out);
                }
                '\\' => match chars.next()?.1 {
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'u' => {
                        let unit = hex4(&mut chars)?;
                        if (0xd800..0xdc00).contains(&unit) {
                            if chars.next()?.1 != '\\' || chars.next()?.1 != 'u' {
                                return None;
                            }
                            let low = hex4(&mut chars).filter(|low| (0xdc00..0xe000).contains(low))?;
                            out.push(char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?);
                        } else {
                            out.push(char::from_u32(unit)?);
                        }
                    }
                    other @ ('"' | '\\' | '/' | '\'') => out.push(other),
                    _ => return None,
                },
                c if c < ' ' => return None,
                c => out.push(c),
            }
        }
        None
    }
}

fn hex4(chars: &mut std::str::CharIndices) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value << 4 | chars.next()?.1.to_digit(16)?))
}

/// A step of a path: `.name`, `['name']`, `[0]`, `.*`, `[*]`.
enum Step {
    Name(String),
    Index(usize),
    All,
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let len = after.find(['.', '[']).unwrap_or(after.len());
            match &after[..len] {
                "" => return None,
                "*" => steps.push(Step::All),
                name => steps.push(Step::Name(name.to_owned())),
            }
            rest = &after[len..];
        } else if let Some(after) = rest.strip_prefix("['") {
            let end = after.find("']")?;
            steps.push(if &after[..end] == "*" { Step::All } else { Step::Name(after[..end].to_owned()) });
            rest = &after[end + 2..];
        } else {
            let after = rest.strip_prefix('[')?;
            let end = after.find(']')?;
            steps.push(if &after[..end] == "*" { Step::All } else { Step::Index(after[..end].parse().ok()?) });
            rest = &after[end + 1..];
        }
    }
    Some(steps)
}

/// What a path (`$.a[0]['b'].*`) leads to, as text.
pub(super) fn by_path(text: &str, path: &str) -> Option<String> {
    let steps = steps(path)?;
    let json = Json::front(text)?;
    let mut found = Vec::new();
    let many = steps.iter().any(|step| matches!(step, Step::All));
    walk(&json, &steps, &mut found);
    match found.as_slice() {
        [] => None,
        [Json::Null] if !many => None,
        [Json::Text(text)] => Some(text.clone()),
        [one] => Some(one.text()),
        all => Some(format!("[{}]", all.iter().map(|json| json.text()).collect::<Vec<_>>().join(","))),
    }
}

fn walk<'j>(json: &'j Json, steps: &[Step], found: &mut Vec<&'j Json>) {
    let [step, rest @ ..] = steps else {
        found.push(json);
        return;
    };
    match (step, json) {
        (Step::Name(name), Json::Object(members)) => {
            if let Some((_, json)) = members.iter().find(|(known, _)| known == name) {
                walk(json, rest, found);
            }
        }
        (Step::Index(at), Json::Array(items)) => {
            if let Some(item) = items.get(*at) {
                walk(item, rest, found);
            }
        }
        (Step::All, Json::Array(items)) => items.iter().for_each(|item| walk(item, rest, found)),
        _ => {}
    }
}

impl Json {
    /// As JSON, numbers as doubles are printed.
    pub fn text(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) if text.contains(['.', 'e', 'E']) && text.parse::<f64>().is_ok_and(f64::is_finite) => {
                parse::double_text(text.parse().unwrap_or_default())
            }
            Self::Number(text) => text.clone(),
            Self::Text(text) => quoted(text),
            Self::Array(items) => format!("[{}]", items.iter().map(Self::text).collect::<Vec<_>>().join(",")),
            Self::Object(members) => {
                let each = members.iter().map(|(name, json)| format!("{}:{}", quoted(name), json.text()));
                format!("{{{}}}", each.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
