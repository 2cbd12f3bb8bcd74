//! How the engine stays answerable while a query joins 10^9 pairs: prints milliseconds and MiB.
//!
//! ```text
//! cargo run --release --example latency
//! ```
//!
//! * `alone`, `beside`: a short query by itself, and while the large join runs; the best and worst
//!   of 20. It must not wait for the join.
//! * `cancel`: from the cancel until the reader is told, and until the workers are free again: a
//!   short query through the same workers has its answer.
//! * `slow reader`: memory reserved and resident while a large result is read one batch at a time.

use skep::Engine;
use std::error::Error;
use std::time::{Duration, Instant};

/// What the `skep` command uses, so that figures of this program are the command's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const LINES: &str = "'testdata/tpch/lineitem.parquet'";
const SHORT: &str = "SELECT l_returnflag, count(*) FROM 'testdata/tpch/lineitem.parquet' GROUP BY l_returnflag";

/// Joins in which every row of 60 000 meets tens of thousands: by no key, by a hot key, by a range.
const LARGE: [(&str, &str); 3] =
    [("cross join", "ON true"), ("hot key", "ON a.l_linestatus = b.l_linestatus"), ("range", "ON a.l_partkey < b.l_partkey")];

fn main() -> Result<()> {
    let engine = Engine::builder().build()?;
    let alone = short(&engine, 20)?;
    println!("alone          best {:7.1} ms   worst {:7.1} ms", alone.0, alone.1);
    for (name, on) in LARGE {
        let sql = format!("SELECT count(*), sum(a.l_suppkey + b.l_suppkey) FROM {LINES} a JOIN {LINES} b {on}");
        let running = engine.query(&sql)?;
        let cancel = running.cancel_handle();
        let reader = std::thread::spawn(move || {
            let ended = running.collect_batches().is_err();
            (ended, Instant::now())
        });
        std::thread::sleep(Duration::from_millis(300));
        let beside = short(&engine, 20)?;
        let start = Instant::now();
        cancel.cancel();
        let free = short(&engine, 1)?;
        let (ended, told) = reader.join().map_err(|_| "the reader panicked")?;
        if !ended {
            return Err(format!("{name}: over before it could be cancelled").into());
        }
        println!("{name:14} beside: best {:.1} ms, worst {:.1} ms", beside.0, beside.1);
        println!("               cancel: told after {:.1} ms, next answer after {:.1} ms", ms(told - start), free.1);
    }
    let mut rows =
        engine.query(&format!("SELECT a.*, b.l_comment FROM {LINES} a JOIN {LINES} b ON a.l_linestatus = b.l_linestatus"))?;
    for batch in 0..=200 {
        let Some(next) = rows.next() else { break };
        next?;
        if batch % 50 == 0 {
            let reserved = rows.metrics().peak_memory >> 20;
            println!("slow reader    batch {batch:3}: {reserved} MiB reserved at most, {} MiB resident", resident_mib());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The best and the worst time of a short query, ms.
fn short(engine: &Engine, runs: usize) -> Result<(f64, f64)> {
    let (mut best, mut worst) = (f64::INFINITY, 0f64);
    for _ in 0..runs {
        let start = Instant::now();
        engine.query(SHORT)?.collect_batches()?;
        let took = ms(start.elapsed());
        (best, worst) = (best.min(took), worst.max(took));
    }
    Ok((best, worst))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Resident memory of the process now, MiB; 0 where the system does not say.
fn resident_mib() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    (pages.unwrap_or(0) * 4096) >> 20
}
