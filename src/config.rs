//! The settings of a session: one table says name, unit, default and effect of each, and `SET`,
//! `RESET`, `SHOW`, `--help` and the documentation all read it.

use crate::error::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;

/// One row of the table of settings.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Dotted name, as in `SET name = value`.
    pub name: &'static str,
    /// What values it takes.
    pub values: &'static str,
    /// The default, in words where it depends on the machine.
    pub default: &'static str,
    /// What it does, one sentence.
    pub effect: &'static str,
    apply: fn(&mut Config, &str) -> Result<()>,
    show: fn(&Config) -> String,
}

/// Which join strategy to use where more than one can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JoinStrategy {
    /// The cheapest by estimate.
    #[default]
    Auto,
    /// One hash table that all workers probe.
    BroadcastHash,
    /// Both sides split by hash first.
    PartitionedHash,
    /// Both sides in key order.
    SortMerge,
    /// Hash join that treats frequent keys apart.
    SkewAware,
    /// Every pair of rows.
    NestedLoop,
}

impl JoinStrategy {
    /// All strategies.
    pub const ALL: [Self; 6] =
        [Self::Auto, Self::BroadcastHash, Self::PartitionedHash, Self::SortMerge, Self::SkewAware, Self::NestedLoop];

    /// The name in `SET skep.join.strategy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::BroadcastHash => "broadcast_hash",
            Self::PartitionedHash => "partitioned_hash",
            Self::SortMerge => "sort_merge",
            Self::SkewAware => "skew_aware",
            Self::NestedLoop => "nested_loop",
        }
    }
}

/// How to aggregate where more than one way can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AggregateStrategy {
    /// The cheapest by estimate.
    #[default]
    Auto,
    /// Part by part in key order.
    Streaming,
    /// Part by part.
    PartitionWise,
    /// As a whole.
    Hash,
}

impl AggregateStrategy {
    /// All strategies.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Streaming, Self::PartitionWise, Self::Hash];

    /// The name in `SET skep.aggregate.strategy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Streaming => "streaming",
            Self::PartitionWise => "partition_wise",
            Self::Hash => "hash",
        }
    }
}

/// Whether aggregates over joins work with numbers of pairs instead of the pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Multiplicity {
    /// Where the join is expected to multiply rows.
    #[default]
    Auto,
    /// Wherever it can be done.
    Always,
    /// Nowhere.
    Never,
}

impl Multiplicity {
    /// The name in `SET skep.optimizer.multiplicity`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// What `"text"` in double quotes means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DoubleQuotes {
    /// A string, as in Hive and Spark.
    #[default]
    String,
    /// An identifier, as in standard SQL.
    Identifier,
}

/// The values of all settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Workers of a query.
    pub threads: usize,
    /// Memory that queries of the session may hold, in bytes.
    pub memory_limit_bytes: usize,
    /// Rows a chunk has at most.
    pub chunk_rows: usize,
    /// Where spill files go.
    pub spill_directory: PathBuf,
    /// Where footers of tables of many files are kept; none: nowhere.
    pub footer_cache: Option<PathBuf>,
    /// Bytes of spill files on disk at most.
    pub spill_limit_bytes: u64,
    /// How long a query may run.
    pub query_timeout: Option<Duration>,
    /// How aggregates over joins are run.
    pub multiplicity: Multiplicity,
    /// The join strategy to prefer.
    pub join_strategy: JoinStrategy,
    /// The way to aggregate wherever it can be used.
    pub aggregate_strategy: AggregateStrategy,
    /// Whether joins are ordered by cost.
    pub join_order: bool,
    /// What double quotes mean.
    pub double_quotes: DoubleQuotes,
    /// Test setting: every key hashes to 0.
    pub constant_hash: bool,
    /// Test setting: every operator that can spill does.
    pub always_spill: bool,
    /// The session's time zone, an IANA name or an offset.
    pub time_zone: String,
    /// The directory of databases and tables.
    pub warehouse: PathBuf,
    /// The database of names without one, in lower case.
    pub database: String,
    /// Which partitions INSERT OVERWRITE replaces.
    pub partition_overwrite: PartitionOverwrite,
}

/// Which partitions INSERT OVERWRITE with dynamic partitions replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PartitionOverwrite {
    /// All that the PARTITION clause covers, as Spark does.
    #[default]
    Static,
    /// Those that get rows, as Hive does.
    Dynamic,
}

/// Every setting, in the order in which the documentation lists them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "skep.threads",
        values: "1 to 1024",
        default: "all cores",
        effect: "Workers that run a query.",
        apply: |config, text| whole(text, 1, 1024).map(|value| config.threads = value),
        show: |config| config.threads.to_string(),
    },
    Setting {
        name: "skep.memory.limit",
        values: "bytes, or with a unit: 512MiB, 2g",
        default: "60% of the machine's memory",
        effect: "Memory that queries hold before they spill to disk.",
        apply: |config, text| memory(text).map(|value| config.memory_limit_bytes = value),
        show: |config| show_bytes(config.memory_limit_bytes as u64),
    },
    Setting {
        name: "skep.execution.chunk_rows",
        values: "1 to 65536",
        default: "8192",
        effect: "Rows that travel between operators at a time.",
        apply: |config, text| whole(text, 1, 65536).map(|value| config.chunk_rows = value),
        show: |config| config.chunk_rows.to_string(),
    },
    Setting {
        name: "skep.spill.directory",
        values: "a directory",
        default: "the system's temporary directory",
        effect: "Where operators put what does not fit into memory.",
        apply: |config, text| directory(text).map(|value| config.spill_directory = value),
        show: |config| config.spill_directory.display().to_string(),
    },
    Setting {
        name: "skep.spill.limit",
        values: "bytes, or with a unit: 100g; 0 means no limit",
        default: "0",
        effect: "Bytes that spill files of a query may take on disk.",
        apply: |config, text| bytes(text).map(|value| config.spill_limit_bytes = if value == 0 { u64::MAX } else { value }),
        show: |config| if config.spill_limit_bytes == u64::MAX { "0".into() } else { show_bytes(config.spill_limit_bytes) },
    },
    Setting {
        name: "skep.footer_cache",
        values: "a directory, or off",
        default: "skep/footers in the user's cache directory",
        effect: "Where footers of tables of many files are kept between runs.",
        apply: |config, text| footer_cache(text).map(|value| config.footer_cache = value),
        show: |config| config.footer_cache.as_ref().map_or("off".into(), |path| path.display().to_string()),
    },
    Setting {
        name: "skep.query.timeout",
        values: "milliseconds; 0 means none",
        default: "0",
        effect: "Ends a query that runs longer.",
        apply: |config, text| {
            let millis = whole(text, 0, usize::MAX)? as u64;
            config.query_timeout = (millis > 0).then(|| Duration::from_millis(millis));
            Ok(())
        },
        show: |config| config.query_timeout.map_or(0, |timeout| timeout.as_millis()).to_string(),
    },
    Setting {
        name: "skep.join.strategy",
        values: "auto, broadcast_hash, partitioned_hash, sort_merge, skew_aware or nested_loop",
        default: "auto",
        effect: "The join strategy to use wherever it can run.",
        apply: |config, text| strategy(text).map(|value| config.join_strategy = value),
        show: |config| config.join_strategy.name().into(),
    },
    Setting {
        name: "skep.aggregate.strategy",
        values: "auto, streaming, partition_wise or hash",
        default: "auto",
        effect: "How to aggregate wherever it can be done so.",
        apply: |config, text| {
            let wanted = text.to_ascii_lowercase();
            let found = AggregateStrategy::ALL.into_iter().find(|strategy| strategy.name() == wanted);
            config.aggregate_strategy = found.ok_or_else(|| Error::config(format!("unknown way to aggregate '{text}'")))?;
            Ok(())
        },
        show: |config| config.aggregate_strategy.name().into(),
    },
    Setting {
        name: "skep.optimizer.join_order",
        values: "true or false",
        default: "true",
        effect: "Orders joins by estimated cost instead of as written.",
        apply: |config, text| boolean(text).map(|value| config.join_order = value),
        show: |config| config.join_order.to_string(),
    },
    Setting {
        name: "skep.optimizer.multiplicity",
        values: "auto, always or never",
        default: "auto",
        effect: "Computes aggregates over joins from numbers of pairs instead of the pairs.",
        apply: |config, text| multiplicity(text).map(|value| config.multiplicity = value),
        show: |config| config.multiplicity.name().into(),
    },
    Setting {
        name: "skep.sql.double_quotes",
        values: "string or identifier",
        default: "string",
        effect: "What \"text\" in double quotes is.",
        apply: |config, text| quotes(text).map(|value| config.double_quotes = value),
        show: |config| if config.double_quotes == DoubleQuotes::String { "string".into() } else { "identifier".into() },
    },
    Setting {
        name: "skep.sql.time_zone",
        values: "an IANA name or an offset such as +02:00",
        default: "UTC",
        effect: "The zone in which timestamps are read and shown.",
        apply: |config, text| time_zone(text).map(|value| config.time_zone = value),
        show: |config| config.time_zone.clone(),
    },
    Setting {
        name: "skep.warehouse",
        values: "a directory",
        default: "$SKEP_WAREHOUSE, or warehouse",
        effect: "Where databases and tables are; made when the first is.",
        apply: |config, text| directory(text).map(|value| config.warehouse = value),
        show: |config| config.warehouse.display().to_string(),
    },
    Setting {
        name: "skep.database",
        values: "a name",
        default: "default",
        effect: "The database that names without one are of; USE changes it.",
        apply: |config, text| {
            config.database = text.to_lowercase();
            Ok(())
        },
        show: |config| config.database.clone(),
    },
    Setting {
        name: "skep.output.partition_overwrite",
        values: "static or dynamic",
        default: "static",
        effect: "Whether INSERT OVERWRITE replaces all partitions it may write to, or those it does.",
        apply: |config, text| overwrite(text).map(|value| config.partition_overwrite = value),
        show: |config| match config.partition_overwrite {
            PartitionOverwrite::Static => "static".into(),
            PartitionOverwrite::Dynamic => "dynamic".into(),
        },
    },
    Setting {
        name: "skep.test.constant_hash",
        values: "true or false",
        default: "false",
        effect: "For tests: every key hashes to the same value.",
        apply: |config, text| boolean(text).map(|value| config.constant_hash = value),
        show: |config| config.constant_hash.to_string(),
    },
    Setting {
        name: "skep.test.always_spill",
        values: "true or false",
        default: "false",
        effect: "For tests: operators spill as soon as they can.",
        apply: |config, text| boolean(text).map(|value| config.always_spill = value),
        show: |config| config.always_spill.to_string(),
    },
];

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            memory_limit_bytes: default_memory_limit_bytes(),
            chunk_rows: 8192,
            spill_directory: std::env::temp_dir(),
            footer_cache: default_footer_cache(),
            spill_limit_bytes: u64::MAX,
            query_timeout: None,
            multiplicity: Multiplicity::Auto,
            join_strategy: JoinStrategy::Auto,
            aggregate_strategy: AggregateStrategy::Auto,
            join_order: true,
            double_quotes: DoubleQuotes::String,
            constant_hash: false,
            always_spill: false,
            time_zone: "UTC".into(),
            warehouse: default_warehouse(),
            database: "default".into(),
            partition_overwrite: PartitionOverwrite::default(),
        }
    }
}

impl Config {
    /// Changes a setting; the name in any case. Unknown names and values that do not fit are
    /// errors that say what would.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        let setting = find(name)?;
        (setting.apply)(self, text.trim()).map_err(|error| {
            Error::config(format!("{}: {}", setting.name, error.message())).with_hint(format!("it takes {}", setting.values))
        })
    }

    /// The value of a setting, as [`Config::set`] would take it.
    pub fn get(&self, name: &str) -> Result<String> {
        Ok((find(name)?.show)(self))
    }

    /// Gives one setting its default again.
    pub fn reset(&mut self, name: &str) -> Result<()> {
        let setting = find(name)?;
        (setting.apply)(self, &(setting.show)(&Self::default()))
    }

    /// Every setting with its value.
    pub fn entries(&self) -> impl Iterator<Item = (&'static Setting, String)> + '_ {
        SETTINGS.iter().map(|setting| (setting, (setting.show)(self)))
    }
}

fn find(name: &str) -> Result<&'static Setting> {
    let wanted = name.trim().to_lowercase();
    SETTINGS.iter().find(|setting| setting.name == wanted).ok_or_else(|| {
        let error = Error::config(format!("unknown setting '{}'", name.trim()));
        let nearest = SETTINGS.iter().map(|setting| (strsim::jaro_winkler(&wanted, setting.name), setting.name));
        match nearest.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((likeness, nearest)) if likeness > 0.7 => error.with_hint(format!("did you mean '{nearest}'?")),
            _ => error.with_hint("SET lists all settings"),
        }
    })
}

/// Bytes from text: a number with an optional unit (`k`, `m`, `g`, `t`, with or without `b` or
/// `iB`; all powers of 1024).
pub fn bytes(text: &str) -> Result<u64> {
    let wrong = || Error::config(format!("'{text}' is not a number of bytes"));
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift).ok_or_else(wrong);
    }
    let value = number.parse::<f64>().map_err(|_| wrong())? * (1u64 << shift) as f64;
    if value.is_finite() && value < u64::MAX as f64 { Ok(value as u64) } else { Err(wrong()) }
}

fn show_bytes(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

fn memory(text: &str) -> Result<usize> {
    const LEAST: u64 = 1 << 20;
    match bytes(text)? {
        value if value < LEAST => Err(Error::config("less than 1MiB is too little")),
        value => usize::try_from(value).map_err(|_| Error::config("more than this machine can address")),
    }
}

fn whole(text: &str, least: usize, most: usize) -> Result<usize> {
    match text.parse::<usize>() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        Ok(value) => Err(Error::config(format!("{value} is outside {least} to {most}"))),
        Err(_) => Err(Error::config(format!("'{text}' is not a whole number"))),
    }
}

fn boolean(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(Error::config(format!("'{text}' is neither true nor false"))),
    }
}

fn multiplicity(text: &str) -> Result<Multiplicity> {
    let wanted = text.to_lowercase();
    let all = [Multiplicity::Auto, Multiplicity::Always, Multiplicity::Never];
    let found = all.into_iter().find(|value| value.name() == wanted);
    found.ok_or_else(|| Error::config(format!("'{text}' is not auto, always or never")))
}

fn strategy(text: &str) -> Result<JoinStrategy> {
    let wanted = text.to_ascii_lowercase();
    let found = JoinStrategy::ALL.into_iter().find(|strategy| strategy.name() == wanted);
    found.ok_or_else(|| Error::config(format!("unknown join strategy '{text}'")))
}

fn quotes(text: &str) -> Result<DoubleQuotes> {
    match text.to_ascii_lowercase().as_str() {
        "string" => Ok(DoubleQuotes::String),
        "identifier" => Ok(DoubleQuotes::Identifier),
        _ => Err(Error::config(format!("'{text}' is neither string nor identifier"))),
    }
}

fn overwrite(text: &str) -> Result<PartitionOverwrite> {
    match text.to_ascii_lowercase().as_str() {
        "static" => Ok(PartitionOverwrite::Static),
        "dynamic" => Ok(PartitionOverwrite::Dynamic),
        _ => Err(Error::config(format!("'{text}' is neither static nor dynamic"))),
    }
}

/// What the environment says, else a directory below the current one.
fn default_warehouse() -> PathBuf {
    let named = std::env::var_os("SKEP_WAREHOUSE").filter(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from("warehouse"), PathBuf::from)
}

/// `skep/footers` in the XDG cache directory; none where there is none.
fn default_footer_cache() -> Option<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(cache) => cache,
        None => PathBuf::from(std::env::var_os("HOME").filter(|home| !home.is_empty())?).join(".cache"),
    };
    Some(cache.join("skep/footers"))
}

fn footer_cache(text: &str) -> Result<Option<PathBuf>> {
    if text.eq_ignore_ascii_case("off") { Ok(None) } else { directory(text).map(Some) }
}

fn directory(text: &str) -> Result<PathBuf> {
    if text.is_empty() || text.contains('\0') {
        return Err(Error::config(format!("'{text}' is not a directory")));
    }
    Ok(PathBuf::from(text))
}

fn time_zone(text: &str) -> Result<String> {
    let zone = if text.eq_ignore_ascii_case("utc") || text == "Z" { "UTC" } else { text };
    match zone.parse::<arrow::array::timezone::Tz>() {
        Ok(_) => Ok(zone.into()),
        Err(_) => Err(Error::config(format!("unknown time zone '{text}'"))),
    }
}

/// 60% of the memory of the machine or of the control group, whichever is less.
fn default_memory_limit_bytes() -> usize {
    // Guessed where /proc does not say: a small machine.
    const FALLBACK_BYTES: u64 = 4 << 30;
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
    });
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    let total = total.unwrap_or(FALLBACK_BYTES).min(group.unwrap_or(u64::MAX));
    usize::try_from(total / 10 * 6).unwrap_or(usize::MAX).max(64 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_units() {
        for (text, expected) in [("0", 0), ("17", 17), ("512MiB", 512 << 20), ("2g", 2 << 30), ("1.5k", 1536), ("3 TB", 3 << 40)]
        {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        for text in ["", "x", "-1", "1q", "99999999999t", "1e3"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_setting_takes_its_own_default_and_what_it_shows() {
        let mut config = Config::default();
        for setting in SETTINGS {
            let shown = config.get(setting.name).unwrap();
            config.set(setting.name, &shown).unwrap();
            assert_eq!(config.get(setting.name).unwrap(), shown, "{}", setting.name);
        }
        assert_eq!(config, Config::default());
        assert_eq!(config.entries().count(), SETTINGS.len());
    }

    #[test]
    fn set_checks_names_and_values() {
        let mut config = Config::default();
        config.set("SKEP.Threads", "3").unwrap();
        assert_eq!(config.threads, 3);
        config.set("skep.join.strategy", "Sort_Merge").unwrap();
        assert_eq!(config.join_strategy, JoinStrategy::SortMerge);
        let error = config.set("skep.thread", "3").unwrap_err();
        assert_eq!(error.hint(), Some("did you mean 'skep.threads'?"));
        for (name, value) in
            [("skep.threads", "0"), ("skep.threads", "many"), ("skep.memory.limit", "1k"), ("skep.sql.time_zone", "Mars/North")]
        {
            assert!(config.set(name, value).is_err(), "{name} = {value}");
        }
        config.reset("skep.join.strategy").unwrap();
        assert_eq!(config.join_strategy, JoinStrategy::Auto);
    }
}
