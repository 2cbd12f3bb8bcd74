//! A table's layout in words: what is known, and what its writer failed to record.

use super::{BucketState, TableZones};
use crate::catalog::{FileTable, Table};
use crate::format::parquet::Sorting;
use crate::layout::bucket::BucketDeclaration;
use crate::layout::{ColumnZones, Evidence, KeyPoint, LayoutFact, Trust, ZoneSource};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value in this share of the rows is worth naming. Guessed: a hundredth on one key is felt from
/// some ten workers on.
const HOT_SHARE: f64 = 0.01;

impl FileTable {
    /// Everything known of the layout, one fact each, the surest first.
    pub fn layout_facts(self: &Arc<Self>) -> Vec<LayoutFact> {
        let mut facts = vec![self.size_fact()];
        facts.extend(self.partition_fact());
        facts.extend(self.bucket_fact());
        facts.extend(self.order_facts());
        facts.extend(self.column_facts());
        facts.extend(self.missing_facts());
        facts
    }

    fn row_groups(&self) -> usize {
        self.files().iter().map(|file| file.footer.row_groups()).sum()
    }

    fn size_fact(&self) -> LayoutFact {
        let (files, groups) = (self.files().len(), self.row_groups());
        let fact = format!("{} rows in {}, {}", self.statistics().rows, plural(files, "file"), plural(groups, "row group"));
        LayoutFact::new(fact, [], Trust::Trusted, "footers")
    }

    fn partition_fact(&self) -> Option<LayoutFact> {
        let names: Vec<&str> = self.schema().fields()[self.file_columns()..].iter().map(|field| field.name().as_str()).collect();
        let mut tuples: Vec<String> = self.files().iter().map(|file| format!("{:?}", file.partition)).collect();
        tuples.sort_unstable();
        tuples.dedup();
        let fact = plural(tuples.len(), "Hive partition");
        (!names.is_empty()).then(|| LayoutFact::new(fact, names, Trust::Trusted, "directory names"))
    }

    fn bucket_fact(&self) -> Option<LayoutFact> {
        let declared = self.declaration().buckets.as_ref();
        match self.bucket_state() {
            BucketState::None => None,
            BucketState::Refuted(reason) => {
                let columns = declared.iter().flat_map(|buckets| &buckets.columns).map(String::as_str);
                let count = declared.map_or(0, |BucketDeclaration { count, .. }| *count);
                Some(LayoutFact::new(plural(count as usize, "bucket"), columns, Trust::Refuted, reason.clone()))
            }
            BucketState::Known(buckets) => {
                let (trust, source) = match buckets.evidence {
                    Evidence::Inferred => (Trust::Inferred, "file names and a sample"),
                    _ => (Trust::Declared, "CLUSTERED BY of CREATE TABLE, file names"),
                };
                let columns = buckets.columns.iter().map(|column| self.schema().field(*column).name().as_str());
                let fact = format!("{} by {}", plural(buckets.count as usize, "bucket"), buckets.hash.name());
                Some(LayoutFact::new(fact, columns, trust, source))
            }
        }
    }

    /// Sort orders that footers or the declaration claim.
    fn order_facts(&self) -> Vec<LayoutFact> {
        let mut facts = Vec::new();
        let mut groups: BTreeMap<Vec<(String, bool)>, usize> = BTreeMap::new();
        for file in self.files() {
            for group in 0..file.footer.row_groups() {
                let name = |sorting: &Sorting| file.footer.columns()[sorting.column].name.to_lowercase();
                let order: Vec<(String, bool)> =
                    file.footer.sorting(group).iter().map(|sorting| (name(sorting), sorting.descending)).collect();
                if !order.is_empty() {
                    *groups.entry(order).or_default() += 1;
                }
            }
        }
        for (order, count) in groups {
            let scope = if count == self.row_groups() { "each row group".to_owned() } else { plural(count, "row group") };
            facts.push(order_fact(&scope, &order, Trust::Claimed, "sorting_columns of footers"));
        }
        if let Some(buckets) = self.declaration().buckets.as_ref().filter(|buckets| !buckets.sorted_by.is_empty()) {
            facts.push(order_fact("each file", &buckets.sorted_by, Trust::Declared, "SORTED BY of CREATE TABLE"));
        }
        if !self.declaration().sorted_by.is_empty() {
            facts.push(order_fact("each file", &self.declaration().sorted_by, Trust::Declared, "table property skep.sorted_by"));
        }
        facts
    }

    /// Zones, inferred orders and hot values, column by column.
    fn column_facts(self: &Arc<Self>) -> Vec<LayoutFact> {
        let source = TableZones::all(self);
        let mut facts = Vec::new();
        for column in 0..self.file_columns() {
            let name = [self.schema().field(column).name().as_str()];
            let Some(zones) = source.zones(column).filter(|zones| !zones.zones.is_empty()) else { continue };
            let bounded = zones.zones.iter().any(|zone| zone.ends().is_some());
            if !zones.is_bounded() || !bounded {
                continue;
            }
            facts.push(LayoutFact::new(zone_words(&zones), name, Trust::Trusted, "bounds in footers"));
            let laid_out = zones.is_disjoint() && self.claimed_order(column).is_none();
            if laid_out && let Some((_, source)) = self.likely_order(column) {
                facts.push(LayoutFact::new("each row group is sorted", name, Trust::Inferred, source));
            }
            for (value, share) in hot(&zones) {
                let fact = format!("hot value {value}: at least {:.0}% of the rows", share * 100.0);
                facts.push(LayoutFact::new(fact, name, Trust::Trusted, "row groups of one value, counts of NULLs"));
            }
        }
        facts
    }

    /// What could have been exploited had the writer recorded it.
    fn missing_facts(self: &Arc<Self>) -> Vec<LayoutFact> {
        let mut facts = Vec::new();
        let groups = || self.files().iter().flat_map(|file| (0..file.footer.row_groups()).map(move |group| (file, group)));
        let mut missing = |fact: &str, columns: Vec<&str>, source: &str| {
            facts.push(LayoutFact::new(fact, columns, Trust::Missing, source));
        };
        if self.row_groups() > 0 && groups().all(|(file, group)| file.footer.sorting(group).is_empty()) {
            missing("sort order", Vec::new(), "footers have no sorting_columns");
        }
        let all = TableZones::all(self);
        let unbounded = (0..self.file_columns()).filter(|column| {
            all.zones(*column).is_some_and(|zones| zones.zones.iter().any(|zone| zone.ends().is_none() && !zone.is_null()))
        });
        let unbounded: Vec<&str> = unbounded.map(|column| self.schema().field(column).name().as_str()).collect();
        if !unbounded.is_empty() {
            missing("bounds", unbounded, "some row group has no usable min and max");
        }
        if groups().any(|(file, group)| !file.footer.has_page_index(group)) {
            missing("page index", Vec::new(), "some row group has none: pages cannot be skipped");
        }
        if groups().all(|(file, group)| !file.footer.has_bloom_filter(group)) && self.row_groups() > 0 {
            missing("Bloom filters", Vec::new(), "no column has one");
        }
        if matches!(self.bucket_state(), BucketState::None) {
            missing("buckets", Vec::new(), "neither CREATE TABLE nor file names tell any");
        }
        facts
    }
}

fn order_fact(scope: &str, order: &[(String, bool)], trust: Trust, source: &str) -> LayoutFact {
    let word = |(name, descending): &(String, bool)| if *descending { format!("{name} DESC") } else { name.clone() };
    let words: Vec<String> = order.iter().map(word).collect();
    LayoutFact::new(format!("{scope} is sorted"), words.iter().map(String::as_str), trust, source)
}

fn zone_words(zones: &ColumnZones) -> String {
    let min = zones.zones.iter().filter_map(|zone| zone.min.as_ref()).min();
    let max = zones.zones.iter().filter_map(|zone| zone.max.as_ref()).max();
    let how = match (zones.zones.len(), zones.is_ascending(), zones.is_disjoint()) {
        (1, ..) => "one row group",
        (_, true, _) => "row groups ascend without overlap",
        (_, false, true) => "row groups do not overlap",
        (_, false, false) => "row groups overlap",
    };
    match min.zip(max) {
        Some((min, max)) => format!("zones from {min} to {max}: {how}"),
        None => format!("zones: {how}"),
    }
}

/// Values of which the zones alone prove that many rows have them.
fn hot(zones: &ColumnZones) -> Vec<(String, f64)> {
    let total = zones.rows() as f64;
    let mut rows: BTreeMap<KeyPoint, u64> = BTreeMap::new();
    let mut nulls = 0;
    for zone in &zones.zones {
        nulls += zone.nulls.unwrap_or(0);
        if let Some((min, max)) = zone.ends()
            && min == max
        {
            *rows.entry(min.clone()).or_default() += zone.rows - zone.nulls.unwrap_or(0).min(zone.rows);
        }
    }
    // Row groups of one value each are what sorting by few values gives: only a few of them are hot.
    let known = rows.into_iter().map(|(value, rows)| (value.to_string(), rows as f64 / total));
    let known = known.chain([("NULL".to_owned(), nulls as f64 / total)]);
    let mut hot: Vec<(String, f64)> = known.filter(|(_, share)| *share >= HOT_SHARE && zones.zones.len() > 1).collect();
    hot.sort_by(|a, b| b.1.total_cmp(&a.1));
    hot.truncate(5);
    hot
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
