//! What the executor promises to queries, and to queries beside them.

use super::fixtures::{Node, Numbers, Setting, apply, number_schema, numbers, values};
use super::result::ResultQueue;
use super::run::{collect, start};
use super::scheduler::Scheduler;
use super::{
    Cursor, Job, Operator, OperatorTask, PipelineBuilder, PlanRef, QueryContext, Region, Sink, SinkTask, Source, Step, Stream,
    TaskContext,
};
use crate::column::Chunk;
use crate::error::{Error, ErrorKind};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// As good as endless.
const MANY: u64 = 1_000_000_000_000;

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} did not come true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn error_of(queue: &ResultQueue) -> Option<Error> {
    loop {
        match queue.next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

fn works_still(scheduler: &Arc<Scheduler>) {
    let (plan, _) = numbers(100_000, 1000, usize::MAX);
    let mut found = values(&collect(&plan, scheduler, Setting::default().context()).unwrap());
    found.sort_unstable();
    assert!(found.iter().copied().eq(0..100_000));
}

#[test]
fn every_row_comes_out_once_whatever_the_threads() {
    for threads in [1, 2, 4] {
        let scheduler = Scheduler::new(threads).unwrap();
        works_still(&scheduler);
    }
}

#[test]
fn a_single_task_source_keeps_its_order() {
    let scheduler = Scheduler::new(2).unwrap();
    let (plan, _) = numbers(200_000, 777, 1);
    let plan = apply(plan, |chunk, _| Ok(Some(chunk)));
    let found = values(&collect(&plan, &scheduler, Setting::default().context()).unwrap());
    assert!(found.iter().copied().eq(0..200_000));
}

#[test]
fn a_query_that_emits_much_or_nothing_starves_nobody() {
    for drops_all in [false, true] {
        let scheduler = Scheduler::new(1).unwrap();
        let (many, _) = numbers(MANY, 8192, usize::MAX);
        let plan = apply(many, move |chunk, _| Ok((!drops_all).then_some(chunk)));
        let first = start(&plan, &scheduler, Setting::default().context()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let begin = Instant::now();
        works_still(&scheduler);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        first.close();
        first.wait_ended();
    }
}

#[test]
fn a_cancelled_query_ends_within_100_ms() {
    let scheduler = Scheduler::new(2).unwrap();
    for drops_all in [false, true] {
        let (many, _) = numbers(MANY, 8192, usize::MAX);
        let plan = apply(many, move |chunk, _| Ok((!drops_all).then_some(chunk)));
        let query = Setting::default().context();
        let queue = start(&plan, &scheduler, query.clone()).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        let begin = Instant::now();
        query.cancel.raise();
        let error = error_of(&queue).unwrap();
        assert!(begin.elapsed() < Duration::from_millis(100), "{:?}", begin.elapsed());
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        queue.wait_ended();
    }
    works_still(&scheduler);
}

#[test]
fn a_cancelled_query_ends_though_nobody_reads() {
    let scheduler = Scheduler::new(2).unwrap();
    let (plan, _) = numbers(MANY, 10, usize::MAX);
    let query = Setting::default().context();
    let queue = start(&plan, &scheduler, query.clone()).unwrap();
    wait_until("a full queue", || queue.len() >= 32);
    query.cancel.raise();
    queue.wait_ended();
}

#[test]
fn a_slow_reader_holds_a_bounded_queue() {
    let scheduler = Scheduler::new(2).unwrap();
    let (plan, made) = numbers(MANY, 10, usize::MAX);
    let queue = start(&plan, &scheduler, Setting::default().context()).unwrap();
    for read in 1..100 {
        std::thread::sleep(Duration::from_millis(1));
        assert!(queue.next().unwrap().is_some());
        assert!(queue.len() <= 34, "{} chunks wait", queue.len());
        // What is made but not read: the queue, and a chunk or two in each task.
        assert!(made.load(Ordering::Relaxed) <= read + 40, "{} made, {read} read", made.load(Ordering::Relaxed));
    }
}

#[test]
fn dropping_the_reader_ends_the_query_and_frees_its_state() {
    let scheduler = Scheduler::new(2).unwrap();
    let (plan, made) = numbers(MANY, 10, usize::MAX);
    let query = Setting::default().context();
    let queue = start(&plan, &scheduler, query.clone()).unwrap();
    assert!(queue.next().unwrap().is_some());
    drop(queue);
    assert!(query.cancel.is_raised());
    drop(plan);
    wait_until("all state freed", || Arc::strong_count(&made) == 1 && Arc::strong_count(&query) == 1);
    works_still(&scheduler);
}

#[test]
fn an_error_or_a_panic_ends_its_query_only() {
    let scheduler = Scheduler::new(2).unwrap();
    for panics in [false, true] {
        let (many, _) = numbers(MANY, 100, usize::MAX);
        let failing = apply(many, move |chunk, _| match values(std::slice::from_ref(&chunk))[0] {
            50_000 if panics => panic!("a made-up panic"),
            50_000 => Err(Error::value("a made-up error")),
            _ => Ok(None),
        });
        let queue = start(&failing, &scheduler, Setting::default().context()).unwrap();
        let error = error_of(&queue).unwrap();
        let (kind, text) = match panics {
            true => (ErrorKind::Internal, "a made-up panic"),
            false => (ErrorKind::Value, "a made-up error"),
        };
        assert_eq!(error.kind(), kind);
        assert!(error.message().contains(text), "{error}");
        queue.wait_ended();
        works_still(&scheduler);
    }
}

#[test]
fn an_error_wakes_tasks_that_wait_for_the_reader() {
    // One task fills the queue and parks; the other fails then. Nobody reads before the end.
    let scheduler = Scheduler::new(2).unwrap();
    let (many, _) = numbers(MANY, 10, usize::MAX);
    let plan = apply(many, |chunk, task| match task.worker {
        0 => Ok(Some(chunk)),
        _ => {
            std::thread::sleep(Duration::from_millis(100));
            Err(Error::value("late"))
        }
    });
    let queue = start(&plan, &scheduler, Setting::default().context()).unwrap();
    queue.wait_ended();
    assert_eq!(error_of(&queue).unwrap().message(), "late");
}

/// Gives every chunk `left` times, a millisecond each; half of what is left can be given away.
struct Repeat {
    times: usize,
    threads: Arc<Mutex<HashSet<std::thread::ThreadId>>>,
    busy: Arc<Mutex<HashSet<usize>>>,
}

struct RepeatTask {
    chunk: Option<Chunk>,
    left: usize,
    times: usize,
    threads: Arc<Mutex<HashSet<std::thread::ThreadId>>>,
    busy: Arc<Mutex<HashSet<usize>>>,
}

impl Operator for Repeat {
    fn start(&self, _task: &TaskContext) -> crate::Result<Box<dyn OperatorTask>> {
        let (threads, busy) = (self.threads.clone(), self.busy.clone());
        Ok(Box::new(RepeatTask { chunk: None, left: 0, times: self.times, threads, busy }))
    }
}

impl OperatorTask for RepeatTask {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> crate::Result<()> {
        self.chunk = Some(chunk);
        self.left = self.times;
        Ok(())
    }

    fn next(&mut self, task: &TaskContext) -> crate::Result<Step> {
        if self.left == 0 {
            return Ok(Step::NeedInput);
        }
        assert!(self.busy.lock().insert(task.worker), "two tasks with number {}", task.worker);
        std::thread::sleep(Duration::from_millis(1));
        self.threads.lock().insert(std::thread::current().id());
        self.busy.lock().remove(&task.worker);
        self.left -= 1;
        Ok(self.chunk.clone().map_or(Step::NeedInput, Step::Chunk))
    }

    fn end_of_input(&mut self, _task: &TaskContext) -> crate::Result<()> {
        Ok(())
    }

    fn split(&mut self) -> Option<Box<dyn OperatorTask>> {
        let given = self.left / 2;
        if given <= 2 {
            return None;
        }
        self.left -= given;
        let Self { chunk, times, threads, busy, .. } = self;
        let (chunk, times, threads, busy) = (chunk.clone(), *times, threads.clone(), busy.clone());
        Some(Box::new(RepeatTask { chunk, left: given, times, threads, busy }))
    }
}

#[test]
fn output_of_one_chunk_is_shared_with_an_idle_worker() {
    let scheduler = Scheduler::new(2).unwrap();
    let threads: Arc<Mutex<HashSet<_>>> = Arc::default();
    let seen = threads.clone();
    let (input, _) = numbers(1, 1, usize::MAX);
    let plan = Node::plan(number_schema(), move |builder, metrics| {
        let repeat = Repeat { times: 300, threads: seen.clone(), busy: Arc::default() };
        Ok(input.build(builder)?.then(Arc::new(repeat), metrics))
    });
    let found = values(&collect(&plan, &scheduler, Setting::default().context()).unwrap());
    assert_eq!(found, vec![0; 300]);
    assert_eq!(threads.lock().len(), 2);
}

/// A region gives half of its rows away; what waits for all of them comes after the last, whoever has it.
#[test]
fn the_rest_of_a_shared_region_is_for_whoever_ends_last() {
    let task = TaskContext { query: Setting::default().context(), worker: 0 };
    let drain = |cursor: &mut dyn Cursor| {
        let mut found = Vec::new();
        loop {
            match cursor.next(&task).unwrap() {
                Step::Chunk(chunk) => found.extend(values(&[chunk])),
                Step::Done => return found,
                Step::Yield | Step::NeedInput => {}
            }
        }
    };
    for region_first in [true, false] {
        let (metrics, mut builder) = (Arc::default(), PipelineBuilder::new());
        let source = |rows, first| Arc::new(Numbers { rows, chunk_rows: 1, tasks_max: 2, next: Arc::new(AtomicU64::new(first)) });
        let repeat = Repeat { times: 40, threads: Arc::default(), busy: Arc::default() };
        let last = Stream::new(source(3, 1), &metrics);
        let stream = Stream::new(source(1, 0), &metrics).then(Arc::new(repeat), &metrics).followed_by(&mut builder, last);
        let mut region = Region::new(builder, stream);
        assert!(region.split(&task).unwrap().is_none(), "nothing was begun");
        while !matches!(region.next(&task).unwrap(), Step::Chunk(_)) {}
        let mut half = region.split(&task).unwrap().unwrap();
        let mut quarter = half.split(&task).unwrap().unwrap();
        let mut found = drain(quarter.as_mut());
        let (one, other): (&mut dyn Cursor, _) =
            if region_first { (&mut region, half.as_mut()) } else { (half.as_mut(), &mut region) };
        found.extend(drain(one));
        assert!(found.iter().all(|value| *value == 0), "the rest came before all rows were there");
        found.extend(drain(other));
        assert_eq!(found, [vec![0; 39], vec![1, 2]].concat(), "the region ends first: {region_first}");
    }
}

/// A sink that counts rows and finalizes in three stages of `jobs` jobs each.
struct Stages {
    rows: AtomicU64,
    jobs: usize,
    ran: Arc<Mutex<Vec<usize>>>,
    fails: Option<&'static str>,
}

struct StagesTask(Arc<Stages>);

struct StagesSink(Arc<Stages>);

impl Sink for StagesSink {
    fn start(&self, _task: &TaskContext) -> crate::Result<Box<dyn SinkTask>> {
        Ok(Box::new(StagesTask(self.0.clone())))
    }

    fn finalize(&self, stage: usize, _query: &Arc<QueryContext>) -> crate::Result<Vec<Job>> {
        if stage == 3 {
            return Ok(Vec::new());
        }
        let job = || {
            let stages = self.0.clone();
            Box::new(move |_: &TaskContext| {
                stages.ran.lock().push(stage);
                match stages.fails {
                    Some("panic") => panic!("in a job"),
                    Some(text) => Err(Error::value(text)),
                    None => Ok(()),
                }
            }) as Job
        };
        Ok((0..self.0.jobs).map(|_| job()).collect())
    }
}

impl SinkTask for StagesTask {
    fn push(&mut self, chunk: Chunk, _task: &TaskContext) -> crate::Result<super::Flow> {
        self.0.rows.fetch_add(chunk.rows() as u64, Ordering::Relaxed);
        Ok(super::Flow::Continue)
    }

    fn finish(self: Box<Self>, _task: &TaskContext) -> crate::Result<()> {
        Ok(())
    }
}

/// `input` (or no branch at all) into a [`Stages`], then the numbers below 10.
fn staged(input: Option<PlanRef>, stages: &Arc<Stages>) -> PlanRef {
    let stages = stages.clone();
    Node::plan(number_schema(), move |builder, metrics| {
        let stream = match &input {
            Some(input) => input.build(builder)?,
            None => Stream::union([]),
        };
        let done = builder.end(stream, Arc::new(StagesSink(stages.clone())), metrics);
        let source = Numbers { rows: 10, chunk_rows: 10, tasks_max: 1, next: Arc::default() };
        Ok(Stream::new(Arc::new(source), metrics).after(done))
    })
}

#[test]
fn stages_of_finalization_run_once_each_in_order() {
    let scheduler = Scheduler::new(2).unwrap();
    for with_input in [true, false] {
        for _ in 0..50 {
            let ran = Arc::default();
            let stages = Arc::new(Stages { rows: AtomicU64::new(0), jobs: 5, ran, fails: None });
            let plan = staged(with_input.then(|| numbers(10_000, 100, usize::MAX).0), &stages);
            let found = values(&collect(&plan, &scheduler, Setting::default().context()).unwrap());
            assert_eq!(found.len(), 10);
            assert_eq!(*stages.ran.lock(), [[0; 5], [1; 5], [2; 5]].concat());
            assert_eq!(stages.rows.load(Ordering::Relaxed), if with_input { 10_000 } else { 0 });
        }
    }
}

#[test]
fn a_failing_job_of_a_finalization_ends_the_query() {
    let scheduler = Scheduler::new(2).unwrap();
    for fails in ["panic", "an error"] {
        let stages = Arc::new(Stages { rows: AtomicU64::new(0), jobs: 5, ran: Arc::default(), fails: Some(fails) });
        let plan = staged(Some(numbers(100, 10, usize::MAX).0), &stages);
        let error = collect(&plan, &scheduler, Setting::default().context()).unwrap_err();
        let expected = if fails == "panic" { "an operator panicked: in a job" } else { fails };
        assert_eq!(error.message(), expected);
    }
    works_still(&scheduler);
}

#[test]
fn a_plan_without_branches_gives_no_rows() {
    let scheduler = Scheduler::new(1).unwrap();
    let plan = Node::plan(number_schema(), |_, _| Ok(Stream::union([])));
    assert!(collect(&plan, &scheduler, Setting::default().context()).unwrap().is_empty());
}

#[test]
fn a_stream_followed_by_another_gives_its_rows_first() {
    let scheduler = Scheduler::new(2).unwrap();
    let plan = Node::plan(number_schema(), move |builder, metrics| {
        let source = |tasks_max| Numbers { rows: 5000, chunk_rows: 10, tasks_max, next: Arc::default() };
        let first = Stream::new(Arc::new(source(usize::MAX)), metrics);
        let second = Stream::new(Arc::new(source(1)), metrics);
        Ok(first.followed_by(builder, second))
    });
    let found = values(&collect(&plan, &scheduler, Setting::default().context()).unwrap());
    assert!(found[5000..].iter().copied().eq(0..5000));
}

/// A source of units of work without rows.
struct Nothing;

impl Source for Nothing {
    fn open(&self, _task: &TaskContext) -> crate::Result<Option<Box<dyn Cursor>>> {
        Ok(Some(Box::new(Nothing)))
    }
}

impl Cursor for Nothing {
    fn next(&mut self, _task: &TaskContext) -> crate::Result<Step> {
        Ok(Step::Done)
    }
}

#[test]
fn units_of_work_without_rows_starve_nobody() {
    let scheduler = Scheduler::new(1).unwrap();
    let plan = Node::plan(number_schema(), |_, metrics| Ok(Stream::new(Arc::new(Nothing), metrics)));
    let queue = start(&plan, &scheduler, Setting::default().context()).unwrap();
    works_still(&scheduler);
    drop(queue);
}

#[test]
fn many_short_queries_at_once_all_end() {
    let scheduler = Scheduler::new(2).unwrap();
    std::thread::scope(|scope| {
        for reader in 0..4 {
            let scheduler = &scheduler;
            scope.spawn(move || {
                for round in 0..100 {
                    let (plan, _) = numbers(2000, 20, usize::MAX);
                    let queue = start(&plan, scheduler, Setting::default().context()).unwrap();
                    if (round + reader) % 3 == 0 {
                        assert!(queue.next().unwrap().is_some());
                        continue;
                    }
                    let mut rows = 0;
                    while let Some(chunk) = queue.next().unwrap() {
                        rows += chunk.rows();
                    }
                    assert_eq!(rows, 2000);
                }
            });
        }
    });
}
