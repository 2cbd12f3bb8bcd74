//! Every join strategy against the reference join, over generated cases.
//!
//! A case is drawn from a seed: kind, residual, key types, NULLs, duplicates, which side is smaller,
//! chunk size, threads, spilling, hashing. A failure prints its seed; run one case alone with
//! `JOIN_CASE=<seed> cargo test --test join_matrix`, and a long run with `JOIN_CASES=20000`.

use datafusion_common::ScalarValue;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use skep::Result;
use skep::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringViewArray,
};
use skep::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use skep::column::{Chunk, Column, DictColumn, Dictionary};
use skep::exec::result::ResultQueue;
use skep::exec::scheduler::Scheduler;
use skep::exec::spill::SpillDirectory;
use skep::exec::{
    CancelFlag, Cursor, MemoryBudget, NodeInfo, PipelineBuilder, PlanNode, PlanRef, QueryContext, Source, Step, Stream,
    TaskContext,
};
use skep::expr::{ExprRef, VectorExpr};
use skep::join::{HotKey, JoinKey, JoinKind, JoinRequest, RuntimeFilter, Strategy, choose, plan, reference};
use skep::layout::Evidence;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A plan node that yields given chunks.
#[derive(Debug)]
struct Given {
    info: NodeInfo,
    chunks: Vec<Chunk>,
}

struct GivenSource(Mutex<VecDeque<Chunk>>);

struct GivenCursor(Option<Chunk>);

impl Cursor for GivenCursor {
    fn next(&mut self, _task: &TaskContext) -> Result<Step> {
        Ok(self.0.take().map_or(Step::Done, Step::Chunk))
    }
}

impl Source for GivenSource {
    fn open(&self, _task: &TaskContext) -> Result<Option<Box<dyn Cursor>>> {
        let next = self.0.lock().unwrap().pop_front();
        Ok(next.map(|chunk| Box::new(GivenCursor(Some(chunk))) as Box<dyn Cursor>))
    }
}

impl PlanNode for Given {
    fn info(&self) -> &NodeInfo {
        &self.info
    }
    fn name(&self) -> &'static str {
        "Given"
    }
    fn children(&self) -> Vec<&PlanRef> {
        Vec::new()
    }
    fn build(&self, _builder: &mut PipelineBuilder) -> Result<Stream> {
        let source = GivenSource(Mutex::new(self.chunks.iter().cloned().collect()));
        Ok(Stream::new(Arc::new(source), &self.info.metrics))
    }
}

fn given(batch: &RecordBatch, chunk_rows: usize, estimated_rows: f64) -> PlanRef {
    given_as(batch, chunk_rows, estimated_rows, false)
}

/// Every column as codes into one dictionary whose values repeat, and where NULL is a code's value.
fn coded(chunk: Chunk) -> Chunk {
    let rows = chunk.rows();
    let code = |column: &Column| {
        let values = column.flat().unwrap();
        let codes: Vec<u32> = (0..rows as u32).collect();
        Column::Dict(DictColumn::new(codes.into(), Arc::new(Dictionary::new(values))))
    };
    Chunk::new(chunk.columns().iter().map(code).collect(), rows)
}

fn given_as(batch: &RecordBatch, chunk_rows: usize, estimated_rows: f64, as_codes: bool) -> PlanRef {
    let whole = Chunk::from_batch(batch).unwrap();
    let whole = if as_codes { coded(whole) } else { whole };
    let step = chunk_rows.max(1);
    let chunks = (0..whole.rows()).step_by(step).map(|at| whole.slice(at, step.min(whole.rows() - at)).unwrap());
    Arc::new(Given { info: NodeInfo::new(batch.schema(), estimated_rows), chunks: chunks.collect() })
}

/// A column.
#[derive(Debug)]
struct Col(usize, DataType);

impl VectorExpr for Col {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        Ok(chunk.column(self.0).clone())
    }
    fn data_type(&self) -> &DataType {
        &self.1
    }
    fn is_fallible(&self) -> bool {
        false
    }
    fn collect_columns(&self, columns: &mut Vec<usize>) {
        columns.push(self.0);
    }
    fn as_column(&self) -> Option<usize> {
        Some(self.0)
    }
    fn describe(&self) -> String {
        format!("#{}", self.0)
    }
}

/// `#left < #right` over two BIGINT columns, NULL where either is.
#[derive(Debug)]
struct Less(usize, usize);

impl VectorExpr for Less {
    fn evaluate(&self, chunk: &Chunk) -> Result<Column> {
        let (left, right) = (chunk.column(self.0).flat()?, chunk.column(self.1).flat()?);
        let (left, right) = (left.as_primitive::<Int64Type>(), right.as_primitive::<Int64Type>());
        let less: BooleanArray = left.iter().zip(right).map(|(l, r)| Some(l? < r?)).collect();
        Ok(Column::Flat(Arc::new(less)))
    }
    fn data_type(&self) -> &DataType {
        &DataType::Boolean
    }
    fn is_fallible(&self) -> bool {
        false
    }
    fn collect_columns(&self, columns: &mut Vec<usize>) {
        columns.extend([self.0, self.1]);
    }
    fn describe(&self) -> String {
        format!("#{} < #{}", self.0, self.1)
    }
}

const KEY_FORMS: usize = 8;

/// Key columns of form `form`: (type, values) from small numbers.
fn keys(form: usize, numbers: &[Option<i64>], more: &[Option<i64>]) -> Vec<(DataType, ArrayRef)> {
    let wide = DataType::Decimal128(30, 2);
    let narrow = DataType::Decimal128(12, 2);
    let texts = || Arc::new(numbers.iter().map(|v| v.map(|v| format!("a longer key {v}"))).collect::<StringViewArray>());
    let decimal = |t: &DataType, f: i128| -> ArrayRef {
        let values: Decimal128Array = numbers.iter().map(|v| v.map(|v| i128::from(v) * f)).collect();
        Arc::new(values.with_data_type(t.clone()))
    };
    let big = |factor: i64| -> ArrayRef { Arc::new(numbers.iter().map(|v| v.map(|v| v * factor)).collect::<Int64Array>()) };
    let ints =
        |values: &[Option<i64>]| -> ArrayRef { Arc::new(values.iter().map(|v| v.map(|v| v as i32)).collect::<Int32Array>()) };
    match form {
        0 => vec![(DataType::Int32, ints(numbers))],
        1 => vec![(DataType::Int64, big(1 << 45))],
        2 => vec![(narrow.clone(), decimal(&narrow, 1))],
        3 => vec![(wide.clone(), decimal(&wide, 1 << 70))],
        4 => vec![(DataType::Utf8View, texts())],
        5 => vec![(DataType::Date32, Arc::new(numbers.iter().map(|v| v.map(|v| v as i32)).collect::<Date32Array>()))],
        6 => vec![(DataType::Int32, ints(numbers)), (DataType::Int32, ints(more))],
        _ => {
            let zero = |v: i64| if v == 0 { -0.0 } else { v as f64 };
            let values: Float64Array = numbers.iter().map(|v| v.map(|v| if v == 3 { f64::NAN } else { zero(v) })).collect();
            vec![(DataType::Utf8View, texts()), (DataType::Float64, Arc::new(values))]
        }
    }
}

#[derive(Debug)]
struct Case {
    kind: JoinKind,
    strategy: Strategy,
    form: usize,
    residual: bool,
    null_aware: bool,
    null_equals: bool,
    nulls: f64,
    rows: (usize, usize),
    span: i64,
    build_left: bool,
    chunk_rows: usize,
    threads: usize,
    always_spill: bool,
    constant_hash: bool,
    memory: usize,
    /// Some keys are said to be hot.
    declared: bool,
    /// Left or right columns come as codes.
    coded: (bool, bool),
}

fn table(random: &mut StdRng, case: &Case, rows: usize) -> RecordBatch {
    let number = |random: &mut StdRng| (!random.random_bool(case.nulls)).then(|| random.random_range(0..case.span));
    let numbers: Vec<Option<i64>> = (0..rows).map(|_| number(random)).collect();
    let more: Vec<Option<i64>> = (0..rows).map(|_| number(random).map(|v| v % 2)).collect();
    let mut columns = keys(case.form, &numbers, &more);
    let values: Int64Array = (0..rows).map(|_| (!random.random_bool(0.1)).then(|| random.random_range(0..20))).collect();
    columns.push((DataType::Int64, Arc::new(values)));
    let id: StringViewArray = (0..rows).map(|row| Some(format!("row number {row} of the table"))).collect();
    columns.push((DataType::Utf8View, Arc::new(id)));
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(at, (t, _))| Field::new(format!("c{at}"), t.clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn output_schema(kind: JoinKind, left: &SchemaRef, right: &SchemaRef) -> SchemaRef {
    use JoinKind::*;
    let (l, r) = (left.fields().to_vec(), right.fields().to_vec());
    let mark = Arc::new(Field::new("mark", DataType::Boolean, true));
    Arc::new(Schema::new(match kind {
        Inner | Left | Right | Full => [l, r].concat(),
        LeftSemi | LeftAnti => l,
        RightSemi | RightAnti => r,
        LeftMark => [l, vec![mark]].concat(),
        RightMark => [r, vec![mark]].concat(),
    }))
}

fn context(threads: usize, chunk_rows: usize, memory: usize) -> QueryContext {
    QueryContext {
        threads,
        chunk_rows,
        memory: MemoryBudget::new(memory),
        cancel: CancelFlag::default(),
        spill: SpillDirectory::new(std::env::temp_dir(), 1 << 32),
        constant_hash: false,
        always_spill: false,
    }
}

fn start(node: &PlanRef, query: Arc<QueryContext>, scheduler: &Arc<Scheduler>) -> ResultQueue {
    let mut builder = PipelineBuilder::new();
    let stream = node.build(&mut builder).unwrap();
    let queue = ResultQueue::default();
    builder.end(stream, Arc::new(queue.clone()), &node.info().metrics);
    scheduler.start(builder, query, queue.clone());
    queue
}

fn sorted(rows: impl IntoIterator<Item = reference::Row>) -> Vec<String> {
    let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{row:?}").replace("-0.0", "0.0")).collect();
    rows.sort_unstable();
    rows
}

fn draw(seed: u64) -> (Case, StdRng) {
    let mut random = StdRng::seed_from_u64(seed);
    let kind = JoinKind::ALL[random.random_range(0..10)];
    let mut case = Case {
        kind,
        strategy: Strategy::ALL[random.random_range(0..5)],
        form: random.random_range(0..KEY_FORMS),
        residual: random.random_bool(0.4),
        null_aware: false,
        null_equals: random.random_bool(0.15),
        nulls: [0.0, 0.1, 0.3][random.random_range(0..3)],
        rows: (random.random_range(0..120), random.random_range(0..120)),
        span: [1, 4, 30, 200][random.random_range(0..4)],
        build_left: random.random_bool(0.5),
        chunk_rows: [1, 2, 7, 49, 8192][random.random_range(0..5)],
        threads: random.random_range(1..3),
        always_spill: random.random_bool(0.35),
        constant_hash: random.random_bool(0.25),
        memory: if random.random_bool(0.15) { 20_000 } else { 1 << 30 },
        declared: random.random_bool(0.3),
        coded: (random.random_bool(0.3), random.random_bool(0.3)),
    };
    use JoinKind::*;
    if matches!(kind, LeftAnti | RightAnti | LeftMark | RightMark) && random.random_bool(0.5) {
        case.null_aware = true;
        case.null_equals = false;
        if random.random_bool(0.3) {
            case.nulls = 0.01;
        }
        let plain = case.strategy != Strategy::NestedLoop;
        if plain {
            case.residual = false;
            case.form %= 6;
        }
    }
    if random.random_bool(0.05) {
        case.rows.1 = 0;
    }
    (case, random)
}

/// Runs one case; what the join noted comes back.
fn run(seed: u64, schedulers: &[Arc<Scheduler>]) -> Vec<String> {
    let (case, mut random) = draw(seed);
    let left = table(&mut random, &case, case.rows.0);
    let right = table(&mut random, &case, case.rows.1);
    let width = left.num_columns();
    let key = |at: usize| -> JoinKey {
        let column = |batch: &RecordBatch| -> ExprRef { Arc::new(Col(at, batch.schema().field(at).data_type().clone())) };
        JoinKey { left: column(&left), right: column(&right), null_equals: case.null_equals && at == 0 }
    };
    let keys: Vec<JoinKey> = (0..width - 2).map(key).collect();
    // Keys of some left rows, NULLs and all.
    let declared = |row: usize| {
        let values = (0..width - 2).map(|at| ScalarValue::try_from_array(left.column(at), row).unwrap());
        HotKey { values: values.collect(), evidence: Evidence::Declared }
    };
    let hot_keys = if case.declared { (0..left.num_rows().min(3)).map(declared).collect() } else { Vec::new() };
    let residual: Option<ExprRef> = case.residual.then(|| Arc::new(Less(width - 2, width * 2 - 2)) as ExprRef);
    let expected = reference::join(case.kind, &left, &right, &keys, residual.as_ref(), case.null_aware).unwrap();
    let schema = output_schema(case.kind, &left.schema(), &right.schema());
    let (few, many) = (10.0, 1000.0);
    let (left_rows, right_rows) = if case.build_left { (few, many) } else { (many, few) };
    let request = JoinRequest {
        kind: case.kind,
        left: given_as(&left, case.chunk_rows, left_rows, case.coded.0),
        right: given_as(&right, case.chunk_rows, right_rows, case.coded.1),
        keys,
        residual,
        null_aware: case.null_aware,
        schema: schema.clone(),
        estimated_rows: 1.0,
        left_filters: Vec::new(),
        right_filters: Vec::new(),
        hot_keys,
        asked: None,
        forced: Some(case.strategy),
        memory_limit: 1 << 30,
        threads: case.threads,
    };
    let node = plan(request).unwrap();
    let metrics = node.info().metrics.clone();
    let query = QueryContext {
        constant_hash: case.constant_hash,
        always_spill: case.always_spill,
        ..context(case.threads, case.chunk_rows, case.memory)
    };
    let query = Arc::new(query);
    let queue = start(&node, query.clone(), &schedulers[case.threads - 1]);
    let mut found = Vec::new();
    loop {
        match queue.next() {
            Ok(Some(chunk)) => {
                assert!(chunk.rows() <= case.chunk_rows, "seed {seed}: a chunk of {} rows: {case:?}", chunk.rows());
                let batch = chunk.to_batch(&schema).unwrap();
                found.extend(reference::rows(&batch).unwrap());
            }
            Ok(None) => break,
            Err(error) => panic!("seed {seed}: {error}: {case:?}"),
        }
    }
    queue.wait_ended();
    let (found, expected) = (sorted(found), sorted(expected));
    if found != expected {
        let missing: Vec<&String> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
        let extra: Vec<&String> = found.iter().filter(|row| !expected.contains(row)).take(3).collect();
        panic!(
            "seed {seed}: {case:#?}\n{} rows, {} expected\nmissing {missing:#?}\nextra {extra:#?}",
            found.len(),
            expected.len()
        );
    }
    let mut notes = metrics.notes();
    let met = metrics.named().into_iter().filter(|(.., value)| *value > 0);
    notes.extend(met.map(|(name, ..)| format!("{}: {name}", case.strategy.name())));
    drop(node);
    assert_eq!(query.memory.used(), 0, "seed {seed}: memory is not given back: {case:?}");
    notes
}

#[test]
fn every_strategy_agrees_with_the_reference() {
    let schedulers = [Scheduler::new(1).unwrap(), Scheduler::new(2).unwrap()];
    if let Ok(seed) = std::env::var("JOIN_CASE") {
        return println!("{:?}", run(seed.parse().unwrap(), &schedulers));
    }
    let start = Instant::now();
    let mut cases = 0;
    let mut notes: HashMap<String, usize> = HashMap::new();
    let wanted = std::env::var("JOIN_CASES").ok().and_then(|cases| cases.parse().ok());
    for seed in 0..wanted.unwrap_or(1200) {
        run(seed, &schedulers).into_iter().for_each(|note| *notes.entry(note).or_default() += 1);
        cases += 1;
        // A slow machine checks fewer cases rather than none.
        if wanted.is_none() && start.elapsed() > Duration::from_secs(55) {
            break;
        }
    }
    println!("{cases} cases, seeds 0..{cases}, in {:?}", start.elapsed());
    println!("{notes:#?}");
    assert!(cases >= 200, "only {cases} cases in time");
    for met in [
        "partitions went to disk",
        "partitioned_hash: partitions cut again",
        "remainders handed over",
        "joined block by block",
        "runs went to disk",
        "each gets a partition of its own",
        "joined by slices",
        "fewer and were built instead",
        "skew_aware: hot keys",
        "skew_aware: hot build rows",
        "skew_aware: slices",
        "broadcast_hash: slices",
    ] {
        assert!(notes.keys().any(|note| note.contains(met)), "no case has met: {met}");
    }
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    let values: ArrayRef = Arc::new((from..to).map(Some).collect::<Int64Array>());
    RecordBatch::try_from_iter([("n", values)]).unwrap()
}

fn request(kind: JoinKind, left: &RecordBatch, right: &RecordBatch, forced: Option<Strategy>) -> JoinRequest {
    let column = || Arc::new(Col(0, DataType::Int64)) as ExprRef;
    JoinRequest {
        kind,
        left: given(left, 8192, left.num_rows() as f64),
        right: given(right, 8192, right.num_rows() as f64),
        keys: vec![JoinKey { left: column(), right: column(), null_equals: false }],
        residual: None,
        null_aware: false,
        schema: output_schema(kind, &left.schema(), &right.schema()),
        estimated_rows: 1.0,
        left_filters: Vec::new(),
        right_filters: Vec::new(),
        hot_keys: Vec::new(),
        asked: None,
        forced,
        memory_limit: 1 << 30,
        threads: 2,
    }
}

#[test]
fn forcing_what_cannot_be_done_says_why() {
    let (left, right) = (numbers(0, 10), numbers(0, 3));
    let mut cross = request(JoinKind::Inner, &left, &right, None);
    cross.keys.clear();
    for strategy in [Strategy::SortMerge, Strategy::SkewAware, Strategy::BroadcastHash, Strategy::PartitionedHash] {
        cross.forced = Some(strategy);
        let error = plan(cross.clone()).unwrap_err();
        assert!(error.message().contains("no equality"), "{error}");
    }
    cross.forced = None;
    assert_eq!(choose(&cross).unwrap().strategy, Strategy::NestedLoop);
    let choice = choose(&request(JoinKind::Inner, &left, &right, None)).unwrap();
    assert_eq!((choice.strategy, choice.build_left), (Strategy::BroadcastHash, false));
    assert_eq!(choice.lines().len(), 5);
}

#[test]
fn a_cross_join_of_billions_of_pairs_stops_when_told() {
    let (left, right) = (numbers(0, 40_000), numbers(0, 50_000));
    let mut cross = request(JoinKind::Inner, &left, &right, None);
    cross.keys.clear();
    let node = plan(cross).unwrap();
    let scheduler = Scheduler::new(2).unwrap();
    let query = Arc::new(context(2, 8192, 1 << 30));
    let queue = start(&node, query.clone(), &scheduler);
    for _ in 0..100 {
        queue.next().unwrap();
    }
    let told = Instant::now();
    query.cancel.raise();
    while let Ok(Some(_)) = queue.next() {}
    queue.wait_ended();
    assert!(told.elapsed() < Duration::from_millis(500), "took {:?}", told.elapsed());
}

#[test]
fn a_built_side_tells_the_scan_what_can_match() {
    use skep::layout::ScanPredicate;
    let (left, right) = (numbers(0, 1000), numbers(100, 110));
    for (kind, told) in
        [(JoinKind::Inner, true), (JoinKind::LeftSemi, true), (JoinKind::Left, false), (JoinKind::LeftAnti, false)]
    {
        let filter = RuntimeFilter::new(0, "n in join".to_owned());
        let mut request = request(kind, &left, &right, Some(Strategy::BroadcastHash));
        request.left_filters = vec![(0, filter.clone())];
        let node = plan(request).unwrap();
        let scheduler = Scheduler::new(1).unwrap();
        let queue = start(&node, Arc::new(context(1, 8192, 1 << 30)), &scheduler);
        while queue.next().unwrap().is_some() {}
        assert_eq!(filter.is_ready(), told, "{kind:?}");
        if told {
            let column = Column::Flat(left.column(0).clone());
            assert_eq!(filter.evaluate(&[column], 1000).unwrap().count_set_bits(), 10);
        }
    }
}

fn figure(node: &PlanRef, name: &str) -> u64 {
    node.info().metrics.named().into_iter().find(|(known, ..)| *known == name).map_or(0, |(.., value)| value)
}

/// A key that all rows share: long enough to be handed over between workers, several times.
#[test]
fn a_hot_key_is_shared_by_the_workers() {
    let n: usize = 1500;
    let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let values = column((0..n as i64).collect());
    let hot = RecordBatch::try_from_iter([("k", column(vec![7; n])), ("v", values)]).unwrap();
    let smaller = n * (n - 1) / 2;
    let scheduler = Scheduler::new(2).unwrap();
    for strategy in [Strategy::BroadcastHash, Strategy::SortMerge, Strategy::SkewAware, Strategy::NestedLoop] {
        for (kind, with, without) in [
            (JoinKind::Inner, smaller, n * n),
            (JoinKind::Left, smaller + 1, n * n),
            (JoinKind::Full, smaller + 2, n * n),
            (JoinKind::RightSemi, n - 1, n),
            (JoinKind::LeftAnti, 1, 0),
        ] {
            for residual in [true, false] {
                let mut request = request(kind, &hot, &hot, Some(strategy));
                request.residual = residual.then(|| Arc::new(Less(1, 3)) as ExprRef);
                let node = plan(request).unwrap();
                let queue = start(&node, Arc::new(context(2, 8192, 1 << 30)), &scheduler);
                let mut rows = 0;
                while let Some(chunk) = queue.next().unwrap() {
                    rows += chunk.rows();
                }
                assert_eq!(rows, if residual { with } else { without }, "{strategy:?} {kind:?} residual {residual}");
                if strategy == Strategy::SkewAware && (residual || !matches!(kind, JoinKind::RightSemi | JoinKind::LeftAnti)) {
                    assert_eq!(figure(&node, "hot keys"), 1);
                    assert_eq!(figure(&node, "hot build rows"), n as u64);
                    assert!(figure(&node, "slices") > 0, "{kind:?} residual {residual}");
                }
            }
        }
    }
}

#[test]
fn estimates_that_were_wrong_are_reported() {
    let (left, right) = (numbers(0, 1000), numbers(0, 500));
    let scheduler = Scheduler::new(1).unwrap();
    let run = |expected_rows: f64, strategy: Strategy, memory: usize| {
        let mut request = request(JoinKind::Inner, &left, &right, Some(strategy));
        request.right = given(&right, 64, expected_rows);
        request.left = given(&left, 64, 1e9);
        request.memory_limit = 1 << 20;
        let node = plan(request).unwrap();
        let queue = start(&node, Arc::new(context(1, 64, memory)), &scheduler);
        let mut rows = 0;
        while let Some(chunk) = queue.next().unwrap() {
            rows += chunk.rows();
        }
        assert_eq!(rows, 500);
        node.info().metrics.notes().join("; ")
    };
    let small = run(1e6, Strategy::PartitionedHash, 1 << 30);
    assert!(small.contains("fits its memory (1000000 rows expected, 500 came)"), "{small}");
    let large = run(10.0, Strategy::BroadcastHash, 10_000);
    assert!(large.contains("outgrew its memory (10 rows expected"), "{large}");
    assert_eq!(run(500.0, Strategy::BroadcastHash, 1 << 30), "");
}

/// A key that is hot on both sides and does not fit: block by block, each block's pairs shared.
#[test]
fn a_hot_key_larger_than_memory_is_joined_block_by_block() {
    let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let n = 3000;
    let side = |hot: i64| {
        let keys = (0..n).map(|row| if row % 3 == 0 { hot } else { row });
        RecordBatch::try_from_iter([("k", column(keys.collect())), ("v", column((0..n).collect()))]).unwrap()
    };
    let (left, right) = (side(-7), side(-7));
    let (hot, single) = (1000_usize, 2000_usize);
    let scheduler = Scheduler::new(2).unwrap();
    for strategy in [Strategy::SkewAware, Strategy::PartitionedHash] {
        for (kind, expected) in [(JoinKind::Inner, hot * hot + single), (JoinKind::LeftSemi, 3000), (JoinKind::RightAnti, 0)] {
            let mut request = request(kind, &left, &right, Some(strategy));
            request.left = given(&left, 512, n as f64);
            request.right = given(&right, 512, n as f64);
            let node = plan(request).unwrap();
            let query = QueryContext { always_spill: true, ..context(2, 512, 1 << 30) };
            let queue = start(&node, Arc::new(query), &scheduler);
            let mut rows = 0;
            while let Some(chunk) = queue.next().unwrap() {
                rows += chunk.rows();
            }
            assert_eq!(rows, expected, "{strategy:?} {kind:?}");
            let notes = node.info().metrics.notes();
            assert_eq!(figure(&node, "hot keys"), 1, "{strategy:?} {kind:?} {notes:?}");
            assert!(notes.iter().any(|note| note.contains("block by block")), "{strategy:?} {kind:?} {notes:?}");
        }
    }
}

/// NULL is the commonest hot key: it is in no table and in no probed partition.
#[test]
fn null_keys_bypass_the_partitions() {
    let keys = |every: i64| (0..2000_i64).map(|row| (row % every == 0).then_some(row)).collect::<Int64Array>();
    let side = |every: i64| RecordBatch::try_from_iter([("k", Arc::new(keys(every)) as ArrayRef)]).unwrap();
    let (left, right) = (side(10), side(20));
    let scheduler = Scheduler::new(2).unwrap();
    for (kind, expected) in [(JoinKind::Inner, 100), (JoinKind::Full, 2000 + 1900), (JoinKind::RightAnti, 1900)] {
        let node = plan(request(kind, &left, &right, Some(Strategy::SkewAware))).unwrap();
        let query = QueryContext { always_spill: true, ..context(2, 256, 1 << 30) };
        let queue = start(&node, Arc::new(query), &scheduler);
        let mut rows = 0;
        while let Some(chunk) = queue.next().unwrap() {
            rows += chunk.rows();
        }
        assert_eq!(rows, expected, "{kind:?}");
    }
}
