//! Random rows against a slow computation over threads, chunk sizes, memory and hashes.

use super::*;
use arrow::array::*;
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that look random: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

struct Row {
    key: Option<i64>,
    text: Option<String>,
    amount: Option<i64>,
    passes: Option<bool>,
}

struct Data {
    rows: Vec<Row>,
    arrays: Vec<ArrayRef>,
    types: Vec<DataType>,
}

fn data(seed: u64, rows: usize, keys: u64) -> Data {
    let mut numbers = Numbers(seed);
    let row = |_| {
        let mut maybe = |value: u64| (numbers.below(10) > 0).then_some(value);
        let (key, text, amount, passes) = (maybe(0), maybe(0), maybe(0), maybe(0));
        let name = numbers.below(7);
        Row {
            key: key.map(|_| numbers.below(keys) as i64),
            text: text.map(|_| if name < 4 { format!("t{name}") } else { format!("a name of more than twelve bytes {name}") }),
            amount: amount.map(|_| numbers.below(1_000_000) as i64 - 400_000),
            passes: passes.map(|_| numbers.below(2) == 0),
        }
    };
    let rows: Vec<Row> = (0..rows).map(row).collect();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.key).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.text.as_deref()).collect::<StringViewArray>()),
        Arc::new(rows.iter().map(|row| row.amount).collect::<Decimal64Array>().with_data_type(DataType::Decimal64(15, 2))),
        Arc::new(rows.iter().map(|row| row.passes).collect::<BooleanArray>()),
    ];
    let types = vec![DataType::Int64, DataType::Utf8View, DataType::Decimal128(15, 2), DataType::Boolean];
    Data { rows, arrays, types }
}

fn decimal(value: i64) -> String {
    format!("{}{}.{:02}", if value < 0 { "-" } else { "" }, value.abs() / 100, value.abs() % 100)
}

/// sum(amount), count(*), min(text), count(DISTINCT amount), sum(amount) FILTER (WHERE passes).
fn expected(rows: &[Row], group: impl Fn(&Row) -> Vec<String>) -> Vec<String> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| groups.entry(group(row)).or_default().push(row));
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
    let sum = |amounts: &mut dyn Iterator<Item = i64>| text(amounts.reduce(|a, b| a + b).map(decimal));
    let line = |(key, rows): (&Vec<String>, &Vec<&Row>)| {
        let mut cells = key.clone();
        cells.push(sum(&mut rows.iter().filter_map(|row| row.amount)));
        cells.push(rows.len().to_string());
        cells.push(text(rows.iter().filter_map(|row| row.text.clone()).min()));
        cells.push(rows.iter().filter_map(|row| row.amount).collect::<BTreeSet<_>>().len().to_string());
        cells.push(sum(&mut rows.iter().filter(|row| row.passes == Some(true)).filter_map(|row| row.amount)));
        cells.join(",")
    };
    let mut lines: Vec<String> = groups.iter().map(line).collect();
    lines.sort();
    lines
}

fn calls() -> Vec<Brief> {
    vec![
        plain("sum", 2),
        ("count", vec![], false, None),
        plain("min", 1),
        ("count", vec![2], true, None),
        ("sum", vec![2], false, Some(3)),
    ]
}

fn key_text(row: &Row) -> String {
    row.key.map_or_else(|| "NULL".to_owned(), |key| key.to_string())
}

fn check(data: &Data, settings: &[Setting]) {
    let by_key = expected(&data.rows, |row| vec![key_text(row)]);
    let by_both = expected(&data.rows, |row| vec![row.text.clone().unwrap_or_else(|| "NULL".to_owned()), key_text(row)]);
    let by_nothing = expected(&data.rows, |_| Vec::new());
    for &setting in settings {
        for (groups, expected) in [(&[0][..], &by_key), (&[1, 0], &by_both), (&[], &by_nothing)] {
            let node = node(&schema(&data.types), chunks(&data.arrays, setting.chunk_rows), groups, &calls()).unwrap();
            let rows = run(&node, setting).unwrap();
            assert!(rows == *expected, "groups {groups:?} {setting:?}: {} rows, not {}", rows.len(), expected.len());
        }
    }
}

#[test]
fn few_and_some_groups_in_every_setting() {
    for (seed, rows, keys) in [(1, 100, 3), (2, 150, 100), (3, 500, 40)] {
        let data = data(seed, rows, keys);
        let mut settings = Vec::new();
        for threads in [1, 2] {
            for chunk_rows in [7, 8192] {
                for always_spill in [false, true] {
                    // A file a partition and chunk: enough of them with the small inputs.
                    if always_spill && chunk_rows == 7 && rows > 100 {
                        continue;
                    }
                    for constant_hash in [false, true] {
                        settings.push(Setting { threads, chunk_rows, always_spill, constant_hash, ..Setting::default() });
                    }
                }
            }
            settings.push(Setting { threads, chunk_rows: 1, ..Setting::default() });
        }
        check(&data, &settings);
    }
}

#[test]
fn many_groups_with_ample_and_little_memory() {
    let data = data(4, 250_000, 800_000);
    let little = Setting { memory: 4 << 20, ..Setting::default() };
    check(&data, &[Setting::default(), little]);
}

#[test]
fn little_memory_spills() {
    let data = data(5, 200_000, 100_000);
    let calls = [plain("sum", 2)];
    let node = node(&schema(&data.types), chunks(&data.arrays, 8192), &[0], &calls).unwrap();
    let groups = data.rows.iter().map(|row| row.key).collect::<BTreeSet<_>>().len();
    assert_eq!(run(&node, Setting { memory: 1 << 20, ..Setting::default() }).unwrap().len(), groups);
    assert!(node.info().metrics.spilled_bytes.get() > 0);
}

#[test]
fn plain_deduplication() {
    let data = data(6, 50_000, 1000);
    let keys: BTreeSet<String> = data.rows.iter().map(key_text).collect();
    let mut expected: Vec<String> = keys.into_iter().collect();
    expected.sort();
    for always_spill in [false, true] {
        let node = node(&schema(&data.types), chunks(&data.arrays, 8192), &[0], &[]).unwrap();
        assert_eq!(run(&node, Setting { always_spill, ..Setting::default() }).unwrap(), expected);
    }
}
