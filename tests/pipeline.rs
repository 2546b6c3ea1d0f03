//! The main job, the example `pipeline`, on inputs that are hard to count in blocks. It is compared
//! with a count that is written differently, and with `wc` where there is one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use res::{Fault, Local, Sinv};
use serde_json::Value;

#[path = "../examples/pipeline/main.rs"]
#[allow(dead_code)]
mod pipeline;

use pipeline::{Args, Found, Input, answer, count, over_kind};

/// Bytes of a block, as the example has it: its boundaries are where it is hard.
const BLOCK: usize = pipeline::messages::BLOCK;
const SPACE: &[u8] = b" \t\n\x0b\x0c\r";

/// A directory that goes when the test ends.
struct Files {
    directory: PathBuf,
    contents: Vec<Vec<u8>>,
}

impl Files {
    fn new(test: &str) -> Result<Self, Fault> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("pipeline-{}-{test}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, contents: Vec::new() })
    }

    /// Adds a file behind those that are there.
    fn add(&mut self, content: impl Into<Vec<u8>>) -> Result<PathBuf, Fault> {
        let path = self.directory.join(format!("{:05}", self.contents.len()));
        self.contents.push(content.into());
        fs::write(&path, &self.contents[self.contents.len() - 1])?;
        Ok(path)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn args(options: &[&str], paths: &[&Path]) -> Args {
    let options = options.iter().map(OsString::from);
    Args::parse(options.chain(paths.iter().map(OsString::from))).expect("good arguments")
}

/// What the pipeline prints with `--json`.
fn counted(options: &[&str], paths: &[&Path]) -> Result<Value, Fault> {
    let args = args(&[options, &["--json"]].concat(), paths);
    let mut text = Vec::new();
    assert!(answer(&args, &mut text)?, "all can be read");
    Ok(serde_json::from_slice(&text)?)
}

/// Runs of bytes without white space that count as words: some byte is visible.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let runs = text.split(|byte| SPACE.contains(byte));
    runs.filter(|run| run.iter().any(|byte| (b'!'..=b'~').contains(byte)))
}

/// Lines, words and bytes, counted over whole files.
fn expected(contents: &[Vec<u8>]) -> [u64; 3] {
    contents.iter().fold([0; 3], |[lines, all, bytes], text| {
        let newlines = text.iter().filter(|byte| **byte == b'\n').count();
        [lines + newlines as u64, all + words(text).count() as u64, bytes + text.len() as u64]
    })
}

/// The ten most frequent words, as they are shown.
fn expected_top(contents: &[Vec<u8>]) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::new();
    for word in contents.iter().flat_map(|text| words(text)) {
        let kept = &word[..word.len().min(30)];
        *counts.entry((kept, word.len() > 30)).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown = |((word, longer), count): ((&[u8], bool), u64)| {
        let text = String::from_utf8_lossy(word).replace(char::is_control, "\u{fffd}");
        (text + if longer { "…" } else { "" }, count)
    };
    counts.into_iter().take(10).map(shown).collect()
}

fn numbers(report: &Value) -> [u64; 3] {
    ["lines", "words", "bytes"].map(|name| report[name].as_u64().expect("a number"))
}

/// Compares with the other count, whatever the backend, the number of workers and the kind of
/// channel.
fn check(files: &Files) -> Result<(), Fault> {
    for options in [
        &["--workers", "1"][..],
        &["--workers=2", "--kind=spsc"],
        &["--workers=5", "--backend", "local"],
        &["--workers=3", "--kind", "zero-copy"],
        &["--workers=3", "--backend", "sinv"],
        &["--workers=2", "--backend=sinv", "--kind=zero-copy"],
    ] {
        let report = counted(options, &[&files.directory])?;
        assert_eq!(numbers(&report), expected(&files.contents), "{options:?}");
        assert_eq!(report["files"], files.contents.len());
        let top = report["top"].as_array().expect("a list").iter();
        let top: Vec<_> = top
            .map(|entry| (entry["word"].as_str().unwrap_or_default(), &entry["count"]))
            .map(|(word, count)| (word.to_owned(), count.as_u64().unwrap_or_default()))
            .collect();
        assert_eq!(top, expected_top(&files.contents), "{options:?}");
        assert_eq!(report["top_is_exact"], true);
    }
    Ok(())
}

/// What `LC_ALL=C wc` says of a file; `None` where there is no such program.
fn wc(path: &Path) -> Option<[u64; 3]> {
    let mut wc = Command::new("wc");
    let output = wc.env("LC_ALL", "C").arg("-lwc").arg(path).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

/// A simple generator of numbers, the same at each run.
fn numbers_from(mut seed: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (seed >> 33) % below
    }
}

/// Contents that are hard to count in blocks.
fn tricky() -> Vec<Vec<u8>> {
    let x = |len: usize| vec![b'x'; len];
    let mut random = numbers_from(1);
    let mut all: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\n".to_vec(),
        b"no line feed at the end".to_vec(),
        b"one\ntwo three\n\n four\t\x0bfive\x0c\r\n".to_vec(),
        vec![b' '; 3 * BLOCK + 1],
        (0..=u8::MAX).collect(),
        (0..=u8::MAX).flat_map(|byte| [b' ', byte, b'\n']).collect(),
        // Not visible, and so no words: alone, and in the middle of a block boundary.
        b"\0 \x01 \x7f \x80\xff \xc3\xa4".to_vec(),
        [vec![b' '; BLOCK - 1], b"\0\0 ".to_vec()].concat(),
        [b" ".to_vec(), vec![0; 40], b"a ".to_vec()].concat(),
        [vec![0; 2 * BLOCK + 7], b"a".to_vec(), vec![0; BLOCK]].concat(),
        // Words longer than a block, and of exactly a block.
        x(BLOCK),
        x(2 * BLOCK),
        x(3 * BLOCK + 5),
        [x(BLOCK), b" ".to_vec(), x(BLOCK)].concat(),
        [b" ".to_vec(), x(2 * BLOCK - 1), b"\n".to_vec()].concat(),
    ];
    // A boundary at every place of a word, and of the gap behind it.
    for before in BLOCK - 12..BLOCK + 2 {
        all.push([vec![b'.'; before], b" across boundary ".to_vec(), x(31)].concat());
        all.push([vec![b'\n'; before], b"across boundary".to_vec()].concat());
    }
    // No white space between the end of one file and the beginning of the next.
    all.extend([b"left".to_vec(), b"right".to_vec(), b"".to_vec(), b"right".to_vec()]);
    // Random bytes, and random words around whole numbers of blocks.
    all.push((0..5 * BLOCK / 2).map(|_| random(256) as u8).collect());
    for len in [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1, 4 * BLOCK] {
        all.push((0..len).map(|_| b"abc \n\t\0\xe4"[random(8) as usize]).collect());
    }
    all
}

#[test]
fn each_tricky_file_alone() -> Result<(), Fault> {
    for (number, content) in tricky().into_iter().enumerate() {
        let mut files = Files::new(&format!("alone{number}"))?;
        files.add(content)?;
        check(&files)?;
    }
    Ok(())
}

#[test]
fn all_tricky_files_together() -> Result<(), Fault> {
    let mut files = Files::new("together")?;
    for content in tricky() {
        files.add(content)?;
    }
    check(&files)
}

#[test]
fn many_small_files() -> Result<(), Fault> {
    let mut files = Files::new("many")?;
    let mut random = numbers_from(2);
    for number in 0..1500 {
        files.add(format!("file {number}\n").repeat(random(4) as usize))?;
    }
    check(&files)
}

#[test]
fn no_files() -> Result<(), Fault> {
    check(&Files::new("none")?)
}

#[test]
fn as_wc_counts() -> Result<(), Fault> {
    let mut files = Files::new("wc")?;
    // Newer ones take bytes that are not visible for words of their own.
    let invisible = files.add(b"\x01")?;
    let Some([0, invisible_words, 1]) = wc(&invisible) else {
        eprintln!("there is no wc here");
        return Ok(());
    };
    for content in tricky() {
        let path = files.add(content.clone())?;
        let report = counted(&[], &[&path])?;
        let mut wanted = wc(&path).expect("there is one");
        if invisible_words != 0 && content.iter().any(|byte| !byte.is_ascii() || *byte < b'\t') {
            wanted[1] = numbers(&report)[1];
        }
        assert_eq!(numbers(&report), wanted, "{}", path.display());
    }
    Ok(())
}

/// What the stages report, by a number in them.
fn stages<'a>(report: &'a Value, prefix: &str, side: &str) -> Vec<(&'a str, bool, u64)> {
    let stages = report["stages"].as_array().expect("a list").iter();
    let figures = stages.map(|stage| {
        let messages = stage[side]["messages"].as_u64().expect("a number");
        (stage["name"].as_str().expect("a name"), stage["late"] == true, messages)
    });
    figures.filter(|(name, ..)| name.starts_with(prefix)).collect()
}

#[test]
fn with_too_many_different_words_the_counts_stay_right() -> Result<(), Fault> {
    let mut files = Files::new("different")?;
    let different = 1_200_000;
    let text: String = (0..different).map(|number| format!("{number:x} often\n")).collect();
    files.add(text)?;
    let report = counted(&[], &[&files.directory])?;
    assert_eq!(numbers(&report), expected(&files.contents));
    assert_eq!(report["top_is_exact"], false);
    assert_eq!(report["top"][0]["word"], "often");
    assert_eq!(report["top"][0]["count"], different);
    Ok(())
}

#[test]
fn late_joiners_take_part() -> Result<(), Fault> {
    let mut files = Files::new("late")?;
    files.add("some words \n".repeat(40 * BLOCK / 12))?;
    let all = (1..=8_u32).map(|workers| ("local", workers)).chain([("sinv", 2), ("sinv", 5)]);
    for (backend, workers) in all {
        let workers_option = format!("--workers={workers}");
        let options = [&workers_option, "--backend", backend];
        let report = counted(&options, &[&files.directory])?;
        assert_eq!(numbers(&report), expected(&files.contents));
        // All components have ended well, or there would be no report.
        let blocks = stages(&report, "reader", "out")[0].2;
        assert_eq!(blocks, 40);
        let taken = stages(&report, "worker", "in");
        assert_eq!(taken.len() as u32, workers);
        assert_eq!(taken.iter().filter(|(_, late, _)| *late).count() as u32, workers / 2);
        assert!(taken.iter().all(|(.., messages)| *messages > 0), "{taken:?}");
        assert_eq!(taken.iter().map(|(.., messages)| messages).sum::<u64>(), blocks);
        let sent: u64 = stages(&report, "worker", "out").iter().map(|(.., sent)| sent).sum();
        assert_eq!(stages(&report, "aggregator", "in")[0].2, sent);
    }
    Ok(())
}

#[test]
fn what_cannot_be_opened_is_named_and_the_rest_is_counted() -> Result<(), Fault> {
    let mut files = Files::new("vanished")?;
    let there = files.add("some words \n".repeat(BLOCK))?;
    files.add("and no others")?;
    let vanished = files.directory.join("vanished");
    let device = Path::new("/dev/null");

    let args = args(&["--json"], &[&vanished, &files.directory, device]);
    let report = count(&args)?;
    let named: Vec<_> = report.outcome.unreadable.iter().map(|one| &one.path).collect();
    assert_eq!(named, [&vanished, device]);
    assert_eq!(numbers(&report.json()), expected(&files.contents));
    assert_eq!(report.json()["files"], 2);
    assert_eq!(report.json()["unreadable"], 2);
    assert!(!answer(&args, &mut io::sink())?);

    // It was still there when it was found.
    let bytes = 12 * BLOCK as u64;
    let inputs = [&there, &vanished, &there].map(|path| Input { path: path.clone(), bytes });
    let found = Found { inputs: inputs.into(), unreadable: Vec::new() };
    let report = over_kind(&Local::new()?, Local::file, &args, found, &|_| ())?;
    assert_eq!(report.outcome.unreadable[0].path, vanished);
    assert_eq!((report.files, report.outcome.totals.bytes), (2, 2 * bytes));
    Ok(())
}

/// Takes that many bytes, then fails.
struct Limited(usize, io::ErrorKind);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.0);
        self.0 -= len;
        if len == 0 { Err(self.1.into()) } else { Ok(len) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is() -> Result<(), Fault> {
    let mut files = Files::new("output")?;
    let path = files.add("some words")?;
    for options in [&["--help"][..], &["--json"], &[]] {
        for room in [0, 10] {
            let args = args(options, &[&path]);
            assert!(answer(&args, &mut Limited(room, io::ErrorKind::BrokenPipe))?);
            let full = answer(&args, &mut Limited(room, io::ErrorKind::StorageFull));
            assert_eq!(full.expect_err("full").text(), "no storage space", "{options:?}");
        }
    }
    Ok(())
}

#[test]
fn a_component_that_fails_ends_the_pipeline() -> Result<(), Fault> {
    let mut files = Files::new("fails")?;
    let bytes = 12 * BLOCK as u64;
    let there = files.add("some words \n".repeat(BLOCK))?;
    // It can be opened, and not read.
    let directory = files.directory.clone();
    let args = args(&["--workers=4"], &[]);
    for inputs in [vec![directory.clone()], vec![there.clone(), directory, there]] {
        let number = inputs.len() / 2;
        let inputs: Vec<_> = inputs.into_iter().map(|path| Input { path, bytes }).collect();
        let found = || Found { inputs: Vec::clone(&inputs), unreadable: Vec::new() };
        let one_space = over_kind(&Local::new()?, Local::file, &args, found(), &|_| ()).err();
        let isolated = over_kind(&Sinv::new()?, Sinv::file, &args, found(), &|_| ()).err();
        for fault in [one_space, isolated] {
            let text = fault.expect("it cannot be read").text().to_owned();
            assert!(text.starts_with(&format!("reader: file {number}: ")), "{text}");
        }
    }
    Ok(())
}

#[test]
fn build_output_and_hidden_files_are_no_input() -> Result<(), Fault> {
    let mut files = Files::new("tree")?;
    for directory in ["src", "target", ".git"] {
        fs::create_dir(files.directory.join(directory))?;
        fs::write(files.directory.join(directory).join("file"), directory)?;
    }
    fs::write(files.directory.join(".hidden"), "hidden")?;
    files.contents.push(b"src".to_vec());
    check(&files)
}

#[test]
fn bad_arguments_are_refused() {
    for wrong in [
        &["--workers"][..],
        &["--workers", "0"],
        &["--workers=many"],
        &["--kind", "carrier pigeon"],
        &["--backend="],
        &["--unknown"],
        &["--json=yes"],
        &["--inspect"],
        &["-"],
    ] {
        assert!(Args::parse(wrong.iter().map(OsString::from)).is_err(), "{wrong:?}");
    }
    assert_eq!(args(&["--"], &[Path::new("--json")]).paths, [Path::new("--json")]);
}

#[test]
fn the_table_names_all_stages() -> Result<(), Fault> {
    let mut files = Files::new("table")?;
    let path = files.add("a b a ".repeat(32 * 1024))?;
    let args = args(&["--workers=2"], &[&path]);
    let mut text = Vec::new();
    answer(&args, &mut text)?;
    let text = String::from_utf8(text)?;
    for part in [
        " 0 lines",
        " 98304 words",
        " 196608 bytes",
        " 65536 a\n",
        "reader",
        "worker1 (late)",
        "aggregator",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    Ok(())
}
