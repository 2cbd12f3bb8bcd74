//! What reviewers would otherwise have to look for: who imports whom, homes of crates, long files.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the top down; what stands in one line does not import its siblings.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["session"],
    &["sql", "explain"],
    &["planner"],
    &["optimizer"],
    &["join", "aggregate", "operator", "output"],
    &["exec"],
    &["catalog"],
    &["format", "expr"],
    &["layout"],
    &["column"],
    &["disk"],
    &["config"],
    &["error"],
];

/// A crate and the only places under `src/` that name it.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlparser", &["sql/"]),
    ("parquet", &["format/"]),
    ("rayon", &["exec/scheduler.rs"]),
    ("clap", &["cli/"]),
    ("rustyline", &["cli/"]),
    ("mimalloc", &["main.rs"]),
    ("datafusion_sql", &["sql/"]),
    ("datafusion_optimizer", &["optimizer/", "optimizer.rs"]),
];

/// Lines from which a file must be listed in [`LONG`].
const LINES_MAX: usize = 600;

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] = &[];

#[test]
fn imports_run_downwards() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(importer) = layer(module_of(&file.path)) else {
            // The crate root and the binary see everything.
            if !["lib.rs", "main.rs"].contains(&file.path.as_str()) {
                wrong.push(format!("src/{}: its module is in no layer; add it to LAYERS", file.path));
            }
            continue;
        };
        for (line, imported) in crate_paths(&file.code) {
            let module = if imported.starts_with(char::is_uppercase) { root_item(&imported) } else { facade(&imported) };
            if module == module_of(&file.path) {
                continue;
            }
            match layer(module) {
                Some(below) if below > importer => {}
                Some(_) => wrong.push(format!("src/{}:{line}: {} may not import {module}", file.path, module_of(&file.path))),
                // Macros and items of the root.
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_have_homes() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (name, homes) in HOMES {
            if homes.iter().any(|home| file.path.starts_with(home)) {
                continue;
            }
            for (number, line) in file.code.lines().enumerate() {
                let named = line.match_indices(&format!("{name}::")).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c == ':' || c == '_' || c.is_alphanumeric())
                });
                if named {
                    wrong.push(format!("src/{}:{}: only {homes:?} may name {name}", file.path, number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        let listed = LONG.iter().any(|(path, _)| *path == file.path);
        if lines > LINES_MAX && !listed {
            wrong.push(format!("src/{}: {lines} lines; which second idea is inside?", file.path));
        }
        if lines <= LINES_MAX && listed {
            wrong.push(format!("src/{}: {lines} lines, and still listed as long", file.path));
        }
        if !file.text.starts_with("//!") {
            wrong.push(format!("src/{}: does not open with //! saying what it is", file.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    // Spelled in two parts so that this file passes itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("dbg", "!("), concat!(".unwr", "ap()")];
    let mut wrong = Vec::new();
    for file in sources() {
        for (number, line) in file.code.lines().enumerate() {
            wrong.extend(
                words.iter().filter(|word| line.contains(*word)).map(|word| format!("src/{}:{}: {word}", file.path, number + 1)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_names_a_machine() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "testdata", ".ci"] {
        for path in files(&root().join(folder)) {
            // Parquet files are not text.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            wrong.extend(places.iter().filter(|place| text.contains(*place)).map(|place| format!("{}: {place}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file under `src/`: its path there, its text, and the text without comments and unit tests.
struct Source {
    path: String,
    text: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let mut sources: Vec<Source> = files(&folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .filter_map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(&folder).unwrap().to_string_lossy().replace('\\', "/");
            // Unit tests in files of their own may look where they like.
            let of_tests = path.split('/').any(|part| part == "tests" || part.ends_with("tests.rs"));
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let code: Vec<&str> = code.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect();
            let code = code.join("\n");
            (!of_tests).then_some(Source { path, text, code })
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20, "the sources are where this test looks for them");
    sources
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The module of a file; the engine and its result streams are parts of the session's.
fn module_of(path: &str) -> &str {
    facade(path.split('/').next().unwrap_or(path).trim_end_matches(".rs"))
}

fn facade(module: &str) -> &str {
    if ["engine", "stream"].contains(&module) { "session" } else { module }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The module of an item that `lib.rs` re-exports: the error type, or the session's.
fn root_item(name: &str) -> &'static str {
    if ["Error", "ErrorKind", "Result", "Position", "DataPlace"].contains(&name) { "error" } else { "session" }
}

/// The first name of every path that starts with `crate::`, braces included, with its line.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let line = code[..at].lines().count().max(1);
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((line, name(rest)));
            continue;
        };
        let (mut depth, mut starts) = (0, true);
        for (position, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => starts = true,
                c if starts && !c.is_whitespace() => {
                    found.push((line, name(&group[position..])));
                    starts = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn paths_are_found_in_braces() {
    let code = "use crate::exec::Chunk;\nuse crate::{\n    error::{Error, Result},\n    plan,\n};\nlet x = crate::Engine::new();";
    let names: Vec<String> = crate_paths(code).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["exec", "error", "plan", "Engine"]);
}
