//! Random queries that are checked against themselves: no other engine is needed to see a wrong row.
//!
//! The problem: an expected answer is needed for every test, and nobody writes down thousands. The idea: two
//! queries that must give the same rows by the meaning of SQL are run, and their rows compared.
//!
//! ```text
//!   ternary logic     Q  =  Q WHERE p  and  Q WHERE NOT p  and  Q WHERE p IS NULL, put together
//!   no optimization   rows of  Q WHERE p  =  rows for which  SELECT p FROM ..  gives true
//!   aggregates        count, sum, min, max over Q  =  those over the three parts, put together
//!   settings          Q under any join strategy, chunk size and memory  =  Q
//! ```
//!
//! Queries are of joins of all kinds over small views with NULLs, with predicates made of comparisons, IN, BETWEEN,
//! LIKE, CASE, EXISTS, IN (SELECT ..) and scalar subqueries. Seeds are fixed; `SKEP_GENERATED=100000` runs more of
//! them and `SKEP_GENERATED_SEED=n` begins elsewhere. A failure prints its seed and both queries.
//!
//! M. Rigger and Z. Su, "Finding Bugs in Database Systems via Query Partitioning", OOPSLA 2020, and "Detecting
//! Optimization Bugs in Database Engines via Non-optimizing Reference Engine Construction", ESEC/FSE 2020.

use skep::arrow::util::display::array_value_to_string;
use skep::{Engine, OutcomeKind, Session};

/// Queries of a run that nobody asked more of: a quarter of a minute of a debug build.
const QUERIES: u64 = 75;

/// Settings that must not change an answer.
const SETTINGS: &[(&str, &str)] = &[
    ("skep.join.strategy", "partitioned_hash"),
    ("skep.join.strategy", "sort_merge"),
    ("skep.execution.chunk_rows", "3"),
    ("skep.test.always_spill", "true"),
    ("skep.test.constant_hash", "true"),
    ("skep.optimizer.join_order", "false"),
    ("skep.optimizer.multiplicity", "always"),
];

/// A type of columns and values.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Int,
    Text,
    Decimal,
    Date,
}

const KINDS: [Kind; 5] = [Kind::Int, Kind::Int, Kind::Text, Kind::Decimal, Kind::Date];

/// The views: name and columns.
const VIEWS: [(&str, &[(&str, Kind)], u64); 4] = [
    ("t1", &[("a1", Kind::Int), ("b1", Kind::Int), ("s1", Kind::Text)], 9),
    ("t2", &[("a2", Kind::Int), ("x2", Kind::Decimal), ("d2", Kind::Date)], 6),
    ("t3", &[("a3", Kind::Int), ("s3", Kind::Text), ("x3", Kind::Decimal), ("d3", Kind::Date)], 12),
    ("t4", &[("a4", Kind::Int), ("b4", Kind::Int)], 0),
];

/// Numbers that depend on the seed alone: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn in_hundred(&mut self, times: u64) -> bool {
        self.below(100) < times
    }

    fn constant(&mut self, kind: Kind) -> String {
        if self.in_hundred(6) {
            return match kind {
                Kind::Int => "CAST(NULL AS INT)",
                Kind::Text => "CAST(NULL AS STRING)",
                Kind::Decimal => "CAST(NULL AS DECIMAL(6,2))",
                Kind::Date => "CAST(NULL AS DATE)",
            }
            .to_owned();
        }
        self.known(kind)
    }

    fn known(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Int => format!("{}", self.below(5)),
            Kind::Text => format!("'{}'", self.one(&["", "a", "b", "ab", "B"])),
            Kind::Decimal => format!("CAST({}.{:02} AS DECIMAL(6,2))", self.below(3), self.below(4) * 25),
            Kind::Date => format!("DATE '2024-0{}-1{}'", 1 + self.below(2), self.below(3)),
        }
    }

    /// A row of VALUES.
    fn row(&mut self, columns: &[(&str, Kind)]) -> String {
        let values = columns.iter().map(|(_, kind)| if self.in_hundred(20) { "NULL".to_owned() } else { self.known(*kind) });
        format!("({})", values.collect::<Vec<_>>().join(", "))
    }
}

/// A column that a query may name.
type Named = (String, Kind);

struct Maker {
    chance: Chance,
    aliases: usize,
}

impl Maker {
    /// FROM and what it brings.
    fn from(&mut self, tables_max: u64) -> (String, Vec<Named>) {
        let (mut text, mut scope) = self.table();
        for _ in 1..=self.chance.below(tables_max) {
            let (right, columns) = self.table();
            let join = self.chance.one(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"]);
            let mut on = Vec::new();
            for _ in 0..=self.chance.below(2) {
                let (column, kind) = columns[self.chance.below(columns.len() as u64) as usize].clone();
                if let Some(left) = self.column(kind, &scope) {
                    on.push(format!("{left} {} {column}", self.chance.one(&["=", "=", "=", "<=>"])));
                }
            }
            let both: Vec<Named> = scope.iter().chain(&columns).cloned().collect();
            if on.is_empty() || self.chance.in_hundred(25) && join != "FULL JOIN" {
                on.push(self.comparison(&both));
            }
            text = format!("{text} {join} {right} ON {}", on.join(" AND "));
            if !matches!(join, "LEFT SEMI JOIN" | "LEFT ANTI JOIN") {
                scope = both;
            }
        }
        (text, scope)
    }

    fn table(&mut self) -> (String, Vec<Named>) {
        self.aliases += 1;
        let alias = format!("r{}", self.aliases);
        let (name, columns, _) = self.chance.one(&VIEWS);
        let scope = columns.iter().map(|(column, kind)| (format!("{alias}.{column}"), *kind)).collect();
        (format!("{name} AS {alias}"), scope)
    }

    fn column(&mut self, kind: Kind, scope: &[Named]) -> Option<String> {
        let fitting: Vec<&Named> = scope.iter().filter(|(_, of)| *of == kind).collect();
        match fitting.len() {
            0 => None,
            count => Some(fitting[self.chance.below(count as u64) as usize].0.clone()),
        }
    }

    fn value(&mut self, kind: Kind, scope: &[Named], depth: usize) -> String {
        let simple = match self.chance.in_hundred(80) {
            true => self.column(kind, scope),
            false => None,
        };
        let simple = simple.unwrap_or_else(|| self.chance.constant(kind));
        if depth == 0 || self.chance.in_hundred(60) {
            return simple;
        }
        let other = self.value(kind, scope, depth - 1);
        match self.chance.below(6) {
            0 => format!("coalesce({simple}, {other})"),
            1 => format!("CASE WHEN {} THEN {simple} ELSE {other} END", self.predicate(scope, depth - 1)),
            2 => format!("nullif({simple}, {other})"),
            3 if kind == Kind::Int => format!("({simple} + {other})"),
            3 if kind == Kind::Text => format!("({simple} || {other})"),
            4 => {
                let (from, inner) = self.from(1);
                let all: Vec<Named> = inner.iter().chain(scope).cloned().collect();
                let value = self.column(kind, &inner).unwrap_or_else(|| self.chance.constant(kind));
                format!("(SELECT {}({value}) FROM {from} WHERE {})", self.chance.one(&["min", "max"]), self.comparison(&all))
            }
            _ => format!("greatest({simple}, {other})"),
        }
    }

    fn comparison(&mut self, scope: &[Named]) -> String {
        let kind = self.chance.one(&KINDS);
        let op = self.chance.one(&["=", "<>", "<", ">="]);
        format!("{} {op} {}", self.value(kind, scope, 0), self.value(kind, scope, 0))
    }

    /// A condition, in brackets.
    fn predicate(&mut self, scope: &[Named], depth: usize) -> String {
        let kind = self.chance.one(&KINDS);
        let less = depth.saturating_sub(1);
        let form = self.chance.below(if depth == 0 { 5 } else { 11 });
        let x = self.value(kind, scope, less.min(1));
        match form {
            0 => format!("({x} IS {}NULL)", self.chance.one(&["", "NOT "])),
            1 => {
                let (first, second) = (self.chance.constant(kind), self.chance.constant(kind));
                format!("({x} IN ({first}, {second}))")
            }
            2 => format!("({x} BETWEEN {} AND {})", self.value(kind, scope, 0), self.value(kind, scope, 0)),
            3 if kind == Kind::Text => format!("({x} LIKE {})", self.chance.one(&["'a%'", "'%b'", "'_'", "'%'"])),
            5 => format!("({} AND {})", self.predicate(scope, less), self.predicate(scope, less)),
            6 => format!("({} OR {})", self.predicate(scope, less), self.predicate(scope, less)),
            7 => format!("(NOT {})", self.predicate(scope, less)),
            8 | 9 => {
                let (from, inner) = self.from(2);
                let all: Vec<Named> = inner.iter().chain(scope).cloned().collect();
                let correlated = self.chance.in_hundred(60);
                let condition = self.predicate(if correlated { &all } else { &inner }, less);
                if form == 8 {
                    return format!("({}EXISTS (SELECT 1 FROM {from} WHERE {condition}))", self.chance.one(&["", "NOT "]));
                }
                let y = self.value(kind, &inner, 0);
                format!("({x} {}IN (SELECT {y} FROM {from} WHERE {condition}))", self.chance.one(&["", "NOT "]))
            }
            10 => format!("({x} IS DISTINCT FROM {})", self.value(kind, scope, 0)),
            _ => format!("({x} {} {})", self.chance.one(&["=", "=", "<>", "<", ">="]), self.value(kind, scope, less.min(1))),
        }
    }
}

/// Rows as texts, in any order.
fn rows(session: &Session, sql: &str) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    for outcome in session.execute(sql) {
        let OutcomeKind::Rows(stream) = outcome.map_err(|error| error.to_string())?.kind else { continue };
        for batch in stream {
            let batch = batch.map_err(|error| error.to_string())?;
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap_or_default());
                rows.push(cells.collect::<Vec<_>>().join("|"));
            }
        }
    }
    rows.sort_unstable();
    Ok(rows)
}

/// Checks one seed; None where it holds, or both queries and what they gave.
fn check(session: &Session, seed: u64) -> Option<String> {
    let mut maker = Maker { chance: Chance(seed), aliases: 0 };
    let (from, scope) = maker.from(3);
    let predicate = maker.predicate(&scope, 2);
    let items: Vec<&str> = scope.iter().map(|(name, _)| name.as_str()).collect();
    let items = items.iter().enumerate().map(|(at, name)| format!("{name} AS c{at}")).collect::<Vec<_>>().join(", ");
    let whole = format!("SELECT {items} FROM {from}");
    let part = |condition: &str| format!("SELECT {items} FROM {from} WHERE {condition}");
    let (held, failed, open) = (part(&predicate), part(&format!("NOT {predicate}")), part(&format!("{predicate} IS NULL")));
    let together = format!("{held} UNION ALL {failed} UNION ALL {open}");
    let differ = |a: &str, b: &str| match (rows(session, a), rows(session, b)) {
        (Ok(a_rows), Ok(b_rows)) if a_rows == b_rows => None,
        (a_rows, b_rows) => Some(format!("seed {seed}\n{a}\n  {a_rows:?}\n{b}\n  {b_rows:?}")),
    };
    if let Some(found) = differ(&whole, &together) {
        return Some(found);
    }
    let counted = format!("SELECT count(*) FROM ({held}) AS h");
    let summed =
        format!("SELECT coalesce(sum(CASE WHEN p THEN 1 ELSE 0 END), 0) FROM (SELECT {predicate} AS p FROM {from}) AS h");
    if let Some(found) = differ(&counted, &summed) {
        return Some(found);
    }
    let calls = "count(c0) AS n, sum(n1) AS s, min(c0) AS l, max(c0) AS h";
    let numbered = |query: &str| format!("SELECT c0, 1 AS n1 FROM ({query}) AS q");
    let of = |query: &str| format!("SELECT {calls} FROM ({}) AS q", numbered(query));
    let parts = format!("{} UNION ALL {} UNION ALL {}", of(&held), of(&failed), of(&open));
    let merged = format!("SELECT sum(n) AS n, sum(s) AS s, min(l) AS l, max(h) AS h FROM ({parts}) AS q");
    if let Some(found) = differ(&of(&whole), &merged) {
        return Some(found);
    }
    let (name, value) = SETTINGS[(seed % SETTINGS.len() as u64) as usize];
    let expected = rows(session, &held);
    let before = session.setting(name).ok()?;
    session.set(name, value).ok()?;
    let under = rows(session, &held);
    session.set(name, &before).ok()?;
    // A strategy that cannot do a join says so.
    let refused = matches!(&under, Err(error) if error.contains("was asked for but cannot be used"));
    (under != expected && !refused)
        .then(|| format!("seed {seed}, {name} = {value}\n{held}\n  {under:?}\n  without: {expected:?}"))
}

#[test]
fn queries_agree_with_themselves() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let (queries, first) = (number("SKEP_GENERATED").unwrap_or(QUERIES), number("SKEP_GENERATED_SEED").unwrap_or(1));
    let engine = Engine::builder().threads(2).build().unwrap();
    let session = engine.session();
    let mut chance = Chance(7);
    for (name, columns, count) in VIEWS {
        let names: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
        let mut values: Vec<String> = (0..count.max(1)).map(|_| chance.row(columns)).collect();
        // The first row gives the types.
        values[0] = format!("({})", columns.iter().map(|(_, kind)| chance.known(*kind)).collect::<Vec<_>>().join(", "));
        let none = if count == 0 { " WHERE false" } else { "" };
        let view = format!(
            "CREATE TEMPORARY VIEW {name} AS SELECT * FROM VALUES {} AS v({}){none}",
            values.join(", "),
            names.join(", ")
        );
        rows(&session, &view).unwrap();
    }
    let failures: Vec<String> = (first..first + queries).filter_map(|seed| check(&session, seed)).take(5).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
