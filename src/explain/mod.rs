//! Plans as text: what EXPLAIN and EXPLAIN ANALYZE print.
//!
//! ```text
//!   TopK 10 by revenue DESC                               estimated 10 rows
//!   └─ HashAggregate group by ...                         estimated 4 120 rows
//!      └─ HashJoin inner on l_orderkey = o_orderkey
//!         │  broadcast_hash: cost 12.0 ...
//!         ├─ Scan lineitem ...
//!         └─ Scan orders ...
//! ```

use crate::exec::{PlanRef, Unit};
use std::fmt::Write;

/// The tree with estimated rows; with `analyze` also the actual figures of a finished run.
pub fn tree(plan: &PlanRef, analyze: bool) -> String {
    let mut out = String::new();
    node(plan, analyze, "", "", &mut out);
    out.truncate(out.trim_end().len());
    out
}

fn node(plan: &PlanRef, analyze: bool, first: &str, rest: &str, out: &mut String) {
    let info = plan.info();
    let summary = plan.summary();
    let gap = if summary.is_empty() { "" } else { " " };
    let mut line = format!("{first}{}{gap}{summary}  (estimated {} rows", plan.name(), count(info.estimated_rows));
    if analyze {
        let metrics = &info.metrics;
        let _ = write!(line, ", actual {}, {}", count(metrics.rows_out.get() as f64), nanoseconds(metrics.busy_ns.get()));
        if metrics.memory_peak.get() > 0 {
            let _ = write!(line, ", {} memory", bytes(metrics.memory_peak.get()));
        }
        if metrics.spilled_bytes.get() > 0 {
            let _ = write!(line, ", {} spilled", bytes(metrics.spilled_bytes.get()));
        }
    }
    let _ = writeln!(out, "{line})");
    let children = plan.children();
    let margin = if children.is_empty() { "   " } else { "│  " };
    let mut lines = plan.details();
    if analyze {
        match plan.figures() {
            Some(figures) => lines.extend(figures),
            None => {
                let named = info.metrics.named().into_iter().filter(|(.., value)| *value > 0);
                let named: Vec<String> = named.map(figure).collect();
                lines.extend((!named.is_empty()).then(|| named.join(", ")));
            }
        }
        lines.extend(info.metrics.notes());
    }
    for line in lines {
        let _ = writeln!(out, "{rest}{margin}{line}");
    }
    let last = children.len().saturating_sub(1);
    for (index, child) in children.into_iter().enumerate() {
        let (branch, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        node(child, analyze, &format!("{rest}{branch}"), &format!("{rest}{below}"), out);
    }
}

fn figure((name, unit, value): (&'static str, Unit, u64)) -> String {
    format!("{name} {}", unit.show(value))
}

/// A count with thin groups of three digits: `1 234 567`.
fn count(value: f64) -> String {
    Unit::Count.show(value.max(0.0).round() as u64)
}

/// Bytes in binary multiples: `1.5 MiB`.
pub fn bytes(value: u64) -> String {
    Unit::Bytes.show(value)
}

/// A time in µs, ms or s.
pub fn nanoseconds(value: u64) -> String {
    Unit::Nanoseconds.show(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1_234_567.4), "1 234 567");
        assert_eq!(count(999.0), "999");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(nanoseconds(1_500_000), "1.5 ms");
    }
}
