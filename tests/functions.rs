//! The table of functions in the documentation says what the engine has.

use skep::{Engine, OutcomeKind, Session};
use std::collections::BTreeSet;

/// The first column of what a statement gives.
fn lines(session: &Session, sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    for outcome in session.execute(sql) {
        let OutcomeKind::Rows(stream) = outcome.unwrap().kind else { continue };
        for batch in stream {
            let batch = batch.unwrap();
            let values = skep::cli::render::Values::new(batch.column(0));
            for row in 0..batch.num_rows() {
                let mut text = String::new();
                values.text(row, &mut text);
                found.push(text);
            }
        }
    }
    found
}

#[test]
fn the_table_of_functions_is_true() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/functions.md")).unwrap();
    let session = Engine::builder().threads(1).build().unwrap().session();
    let known: BTreeSet<String> = lines(&session, "SHOW FUNCTIONS").into_iter().collect();
    let mut listed = 0;
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, supported, ..] = cells.as_slice() else { panic!("a row of another shape: {line}") };
        let name = name.trim_matches('`').replace("\\|", "|");
        match *supported {
            "yes" => assert!(known.contains(&name), "{name} is said to be there"),
            "no" => assert!(!known.contains(&name), "{name} is there, unlike the table says"),
            other => panic!("{name}: neither yes nor no but {other}"),
        }
        listed += 1;
    }
    assert!(listed > 500, "the table has {listed} rows");
}

#[test]
fn functions_in_sql() {
    let session = Engine::builder().threads(1).build().unwrap().session();
    let rows = lines(
        &session,
        "CREATE TEMPORARY FUNCTION area(width DOUBLE, height DOUBLE) RETURNS DOUBLE RETURN width * height;
         CREATE TEMPORARY FUNCTION plus_one(x INT) RETURNS INT RETURN x + 1;
         CREATE TEMPORARY FUNCTION twice(x INT) RETURNS INT RETURN plus_one(x) + x - 1;
         SELECT concat(area(2, 3), ' ', twice(4), ' ', area(1, NULL) IS NULL);
         SELECT plus_one(x) FROM VALUES (1), (NULL) AS t(x) WHERE twice(x) = 2",
    );
    assert_eq!(rows, ["6.0 8 true", "2"]);
    assert_eq!(lines(&session, "SHOW USER FUNCTIONS"), ["area", "plus_one", "twice"]);
    assert_eq!(lines(&session, "SHOW FUNCTIONS LIKE 'tw*'"), ["twice"]);
    let told = lines(&session, "DESCRIBE FUNCTION EXTENDED area");
    assert_eq!(told.last().unwrap(), "Body: width * height");
    let failure = |sql: &str| {
        let wrong = session.execute(sql).find_map(|outcome| match outcome.map(|outcome| outcome.kind) {
            Ok(OutcomeKind::Rows(rows)) => rows.filter_map(Result::err).next(),
            Ok(_) => None,
            Err(error) => Some(error),
        });
        wrong.unwrap_or_else(|| panic!("no error: {sql}")).to_string()
    };
    assert!(failure("SELECT twice(1, 2)").contains("takes 1 arguments, not 2"));
    assert!(failure("CREATE TEMPORARY FUNCTION bad(x INT) RETURN y + 1").contains("body of bad"));
    assert!(failure("CREATE TEMPORARY FUNCTION upper(x STRING) RETURN x").contains("built-in"));
    assert!(failure("CREATE TEMPORARY FUNCTION area(x INT) RETURN x").contains("already"));
    assert!(failure("SELECT plus_one('no number')").contains("cannot cast"));
    assert!(failure("DROP TEMPORARY FUNCTION nothing").contains("no function"));
    assert_eq!(lines(&session, "DROP TEMPORARY FUNCTION twice; SHOW USER FUNCTIONS"), ["area", "plus_one"]);
    assert!(failure("SELECT twice(1)").contains("unknown function"));
}
