//! Our decoding of Parquet columns against the `parquet` crate's Arrow reader, on one core.
//!
//! ```text
//! cargo bench --bench parquet                          # lineitem of testdata/tpch
//! cargo bench --bench parquet -- lineitem.parquet 5    # another file with its columns, 5 rounds
//! ```
//!
//! Both read the same row groups in batches of 8192 rows and drop what they read; strings are views in
//! both, columns of few values stay codes in ours. Readers take turns, the best round of each counts,
//! in CPU seconds of the thread, so that other work on the machine matters less. The floor is what our
//! reader spends on page headers and decompression, which decoding cannot go below.

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use skep::arrow::datatypes::{DataType, Field, Schema};
use skep::format::parquet::{Footer, RowGroup};
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What the `skep` command uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Columns that are read together, and how many times the crate's speed is asked for.
const CASES: &[(&str, &[&str], f64)] = &[
    (
        "columns of Q1",
        &["l_quantity", "l_extendedprice", "l_discount", "l_tax", "l_returnflag", "l_linestatus", "l_shipdate"],
        1.5,
    ),
    ("few values", &["l_returnflag", "l_shipmode", "l_shipinstruct"], 4.0),
    ("l_comment", &["l_comment"], 1.3),
    ("l_partkey", &["l_partkey"], 1.3),
    ("l_extendedprice", &["l_extendedprice"], 1.3),
];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One pass over the file.
#[derive(Clone, Copy)]
struct Pass {
    cpu_s: f64,
    /// Of it for page headers and decompression, where that is known.
    floor_s: f64,
}

fn main() -> Result<()> {
    // `cargo bench` hands on options of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tpch/lineitem.parquet");
    let path = PathBuf::from(words.first().map_or(default, String::as_str));
    let rounds: usize = words.get(1).map_or(Ok(3), |word| word.parse())?;
    let (_, footer) = Footer::open(&path)?;
    let rows = footer.total_rows() as f64 / 1e6;
    println!("{}: {rows:.2} M rows, {} row groups; M rows/s, best of {rounds}", path.display(), footer.row_groups());
    println!("{:18}{:>10}{:>10}{:>10}{:>9}{:>9}", "", "skep", "the crate", "floor", "ratio", "asked");
    for (name, columns, asked) in CASES {
        let (mut ours, mut theirs) = (None, None);
        for _ in 0..rounds {
            better(&mut ours, read_ours(&path, &footer, columns)?);
            better(&mut theirs, read_theirs(&path, columns)?);
        }
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return Err("no rounds".into()) };
        let speed = |seconds: f64| rows / seconds;
        println!(
            "{name:18}{:>10.1}{:>10.1}{:>10.1}{:>9.2}{asked:>9.1}",
            speed(ours.cpu_s),
            speed(theirs.cpu_s),
            speed(ours.floor_s),
            theirs.cpu_s / ours.cpu_s,
        );
    }
    Ok(())
}

fn better(best: &mut Option<Pass>, pass: Pass) {
    if best.is_none_or(|best| pass.cpu_s < best.cpu_s) {
        *best = Some(pass);
    }
}

fn read_ours(path: &Path, footer: &Arc<Footer>, names: &[&str]) -> Result<Pass> {
    let place = |name: &&str| footer.columns().iter().position(|column| column.name == **name).ok_or(format!("no column {name}"));
    let columns = names.iter().map(place).collect::<std::result::Result<Vec<_>, _>>()?;
    let path: Arc<Path> = path.into();
    let (began, wall) = (thread_seconds(), Instant::now());
    let mut decompress_ns = 0;
    for group in 0..footer.row_groups() {
        let rows = footer.rows(group);
        let (mut cursors, _) = RowGroup::open(&path, footer, group, 0..rows, false)?.open_columns(&columns)?;
        for start in (0..rows).step_by(BATCH_ROWS) {
            for cursor in &mut cursors {
                cursor.read(BATCH_ROWS.min(rows - start))?;
            }
        }
        decompress_ns += cursors.iter().map(|cursor| cursor.figures().decompress_ns).sum::<u64>();
    }
    let cpu_s = thread_seconds() - began;
    let share = decompress_ns as f64 / 1e9 / wall.elapsed().as_secs_f64();
    Ok(Pass { cpu_s, floor_s: cpu_s * share })
}

fn read_theirs(path: &Path, names: &[&str]) -> Result<Pass> {
    let began = thread_seconds();
    let known = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    // As fast as it goes: strings as views, short decimals in 64 bits.
    let fields: Vec<Field> = known.schema().fields().iter().map(|field| fast(field)).collect();
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(Arc::new(Schema::new(fields)));
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path)?, options)?;
    let mask = ProjectionMask::columns(reader.parquet_schema(), names.iter().copied());
    for batch in reader.with_projection(mask).with_batch_size(BATCH_ROWS).build()? {
        batch?;
    }
    Ok(Pass { cpu_s: thread_seconds() - began, floor_s: f64::NAN })
}

fn fast(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Decimal128(precision, scale) if *precision <= 18 => DataType::Decimal64(*precision, *scale),
        other => other.clone(),
    };
    field.clone().with_data_type(data_type)
}

/// CPU seconds of this thread so far.
fn thread_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time` alone, which lives until it returns.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
