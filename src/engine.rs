//! The library's entrance: an engine with its threads, memory budget and tables.

use crate::catalog::{Catalog, FileSpec, FileTable, MemoryTable, Table, footer_store, open_files};
use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::exec::MemoryBudget;
use crate::exec::scheduler::Scheduler;
use crate::layout::Declaration;
use crate::session::Session;
use crate::sql::{ArithmeticFunctions, FunctionRegistry, ItemAccess, Parameters, SparkArithmetic};
use crate::stream::ResultStream;
use crate::{aggregate, expr, operator, output};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use parking_lot::RwLock;
use std::path::Path;
use std::sync::Arc;

/// A SQL engine. Cloning shares it; all its methods may be called from several threads.
///
/// ```
/// let engine = skep::Engine::builder().threads(2).build()?;
/// engine.register_path("nation", "testdata/tpch/nation.parquet")?;
/// let batches = engine.query("SELECT count(*) AS nations FROM nation")?.collect_batches()?;
/// assert_eq!(batches[0].num_rows(), 1);
/// # Ok::<(), skep::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    scheduler: Arc<Scheduler>,
    memory: Arc<MemoryBudget>,
    catalog: Catalog,
    config: Config,
    disk: Disk,
    functions: RwLock<Arc<FunctionRegistry>>,
}

/// Settings of an engine to be.
#[derive(Default)]
pub struct EngineBuilder {
    settings: Vec<(String, String)>,
    disk: Disk,
}

impl EngineBuilder {
    /// Number of worker threads; the default is one per core.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        self.with("skep.threads", threads.to_string())
    }

    /// The most memory that operators may hold together, bytes.
    #[must_use]
    pub fn memory_limit(self, bytes: usize) -> Self {
        self.with("skep.memory.limit", bytes.to_string())
    }

    /// The directory of databases and tables; made when the first is.
    #[must_use]
    pub fn warehouse(self, directory: impl AsRef<Path>) -> Self {
        self.with("skep.warehouse", directory.as_ref().display().to_string())
    }

    /// Any setting by its name, as `SET` takes it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] for an unknown name or a value that does not fit.
    pub fn set(self, name: &str, value: &str) -> Result<Self> {
        Config::default().set(name, value)?;
        Ok(self.with(name, value.to_owned()))
    }

    /// Changes files through `disk`: for tests of faults.
    #[cfg(test)]
    pub(crate) fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// The engine.
    pub fn build(self) -> Result<Engine> {
        let mut config = Config::default();
        for (name, value) in &self.settings {
            config.set(name, value)?;
        }
        let (disk, settle_disk) = (self.disk.clone(), self.disk.clone());
        Ok(Engine(Arc::new(Inner {
            scheduler: Scheduler::new(config.threads)?,
            memory: MemoryBudget::new(config.memory_limit_bytes),
            catalog: Catalog::new(Arc::new(move |config: &Config, path: &str, spec: &FileSpec| open(&disk, config, path, spec)))
                .with_settle(Arc::new(move |path: &Path| output::settle(&settle_disk, path))),
            functions: RwLock::new(Arc::new(builtin_functions())),
            config,
            disk: self.disk,
        })))
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.settings.push((name.to_owned(), value));
        self
    }
}

impl Engine {
    /// Starts from the default settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Names a file, a directory or a glob of files as a table. Of what format they are their names tell,
    /// or their first bytes.
    pub fn register_path(&self, name: &str, path: &str) -> Result<()> {
        self.register_files(name, path, &FileSpec { guess: true, ..FileSpec::default() })
    }

    /// The same, of files of which something is said.
    pub(crate) fn register_files(&self, name: &str, path: &str, spec: &FileSpec) -> Result<()> {
        self.0.catalog.register(name, open(&self.0.disk, &self.0.config, path, spec)?);
        Ok(())
    }

    /// The same, of files that a declaration says more about.
    pub(crate) fn register_declared(&self, config: &Config, name: &str, path: &str, declaration: Declaration) -> Result<()> {
        output::settle(&self.0.disk, Path::new(path))?;
        let table = FileTable::open_declared(path, declaration, footer_store(config).as_ref())?;
        self.0.catalog.register(name, table);
        Ok(())
    }

    /// Names batches in memory as a table. They must share one schema.
    ///
    /// ```
    /// use skep::arrow::array::{Int64Array, RecordBatch};
    /// use std::sync::Arc;
    /// let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])?;
    /// let engine = skep::Engine::builder().build()?;
    /// engine.register_batches("numbers", vec![batch])?;
    /// let rows: usize = engine.query("SELECT n FROM numbers WHERE n > 1")?.map(|b| Ok::<_, skep::Error>(b?.num_rows())).sum::<Result<_, _>>()?;
    /// assert_eq!(rows, 2);
    /// # Ok::<(), skep::Error>(())
    /// ```
    pub fn register_batches(&self, name: &str, batches: Vec<RecordBatch>) -> Result<()> {
        let Some(first) = batches.first() else {
            return Err(Error::config(format!("table '{name}' needs at least one batch, which may be empty")));
        };
        let schema = first.schema();
        self.0.catalog.register(name, Arc::new(MemoryTable::new(schema, batches)?));
        Ok(())
    }

    /// Adds a scalar function: `function` gets one array per argument, all of the same length, in the
    /// given types, and returns an array of that length of type `returns`.
    ///
    /// ```
    /// use skep::arrow::{array::{AsArray, Int64Array}, datatypes::{DataType, Int64Type}};
    /// use std::sync::Arc;
    /// let engine = skep::Engine::builder().build()?;
    /// engine.register_function("twice", vec![DataType::Int64], DataType::Int64, |arguments| {
    ///     let doubled: Int64Array = arguments[0].as_primitive::<Int64Type>().unary(|n| n * 2);
    ///     Ok(Arc::new(doubled))
    /// });
    /// let batch = engine.query("SELECT twice(21L) AS answer")?.next().unwrap()?;
    /// assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 42);
    /// # Ok::<(), skep::Error>(())
    /// ```
    pub fn register_function(
        &self,
        name: &str,
        arguments: Vec<DataType>,
        returns: DataType,
        function: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
    ) {
        let function = expr::functions::from_closure(name, arguments, returns, Arc::new(function));
        let mut functions = self.0.functions.write();
        let mut registry = FunctionRegistry::clone(&functions);
        registry.scalar.retain(|known| known.name() != function.name());
        registry.scalar.push(function);
        *functions = Arc::new(registry);
    }

    /// A session: settings of its own over the engine's tables.
    pub fn session(&self) -> Session {
        Session::new(self.clone(), self.0.config.clone())
    }

    /// Runs one query in a session of its own.
    pub fn query(&self, sql: &str) -> Result<ResultStream> {
        self.session().query(sql, &Parameters::default())
    }

    /// Runs one query with values for its `?` and `:name` parameters.
    pub fn query_with(&self, sql: &str, parameters: &Parameters) -> Result<ResultStream> {
        self.session().query(sql, parameters)
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler> {
        &self.0.scheduler
    }

    pub(crate) fn memory(&self) -> &Arc<MemoryBudget> {
        &self.0.memory
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.0.disk
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn functions(&self) -> Arc<FunctionRegistry> {
        self.0.functions.read().clone()
    }
}

/// Opens files as a table, after finishing what a dead process began to write there.
fn open(disk: &Disk, config: &Config, path: &str, spec: &FileSpec) -> Result<Arc<dyn Table>> {
    output::settle(disk, Path::new(path))?;
    open_files(path, spec, None, footer_store(config).as_ref())
}

/// The functions every engine knows, with our arithmetic before the borrowed planners.
fn builtin_functions() -> FunctionRegistry {
    use expr::functions::{
        divide, higher_order, int_divide, interval_operators, minus, multiply, negate, plus, remainder, scalar,
    };
    let [between, times, divided] = interval_operators();
    let arithmetic = ArithmeticFunctions {
        plus: plus(),
        minus: minus(),
        multiply: multiply(),
        divide: divide(),
        remainder: remainder(),
        int_divide: int_divide(),
        negate: negate(),
        between,
        times,
        divided,
    };
    let scalar = scalar();
    let item_at = scalar.iter().find(|function| function.name() == "item_at").cloned();
    let mut registry = FunctionRegistry {
        scalar,
        aggregate: aggregate::functions(),
        window: operator::window_functions(),
        higher_order: higher_order(),
        macros: Default::default(),
        planners: vec![Arc::new(SparkArithmetic::new(arithmetic))],
    };
    if let Some(item_at) = item_at {
        registry.planners.push(Arc::new(ItemAccess(item_at)));
    }
    registry.with_borrowed_planners()
}
