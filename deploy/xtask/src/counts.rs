//! What test programs say of themselves, added up.

use std::io::{BufRead, Write};

/// Copies line by line, counting.
pub fn pass_through(mut from: impl BufRead, mut to: impl Write, counts: &mut Counts) -> std::io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        counts.take(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

/// What the test programs said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests marked as ignored.
    pub skipped: u64,
    /// The tests that failed.
    pub failures: Vec<Failure>,
    /// Index of the failure whose output comes now.
    pub of: Option<usize>,
}

/// A test that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// What it said of it: its panic, without the backtrace; or, without a panic, the beginning of its output.
    said: Vec<String>,
    /// Whether that is whole.
    whole: bool,
}

/// Lines of a failure that are repeated: a log of all of it is further up.
const LINES: usize = 25;

impl Failure {
    /// A test that said these lines.
    #[cfg(test)]
    pub fn of(name: &str, lines: &[&str]) -> Self {
        let mut failure = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        lines.iter().for_each(|line| failure.take(line));
        failure
    }

    /// Takes a line of the test's output.
    fn take(&mut self, line: &str) {
        if line.starts_with("thread '") && line.contains(" panicked at ") && !self.panicked() {
            // What was printed before is not what went wrong.
            self.said.clear();
        } else if self.panicked() && (line == "stack backtrace:" || line.starts_with("note: run with ")) {
            self.whole = true;
        }
        if !self.whole && self.said.len() < LINES && !(line.is_empty() && self.said.is_empty()) {
            self.said.push(line.to_owned());
        }
    }

    /// What it said, without the blank lines at its end.
    pub fn said(&self) -> &[String] {
        let end = self.said.iter().rposition(|line| !line.is_empty());
        &self.said[..end.map_or(0, |last| last + 1)]
    }

    fn panicked(&self) -> bool {
        self.said
            .first()
            .is_some_and(|line| line.contains(" panicked at "))
    }
}

impl Counts {
    /// Adds what another step counted.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures.iter().cloned());
    }

    /// Adds up lines such as `test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.03s`.
    fn take(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(results) = line.strip_prefix("test result: ") {
            for part in results.split(['.', ';']) {
                let mut words = part.split_whitespace();
                let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next())
                else {
                    continue;
                };
                match what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.skipped += number,
                    _ => {}
                }
            }
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failures.push(Failure {
                name: name.to_owned(),
                ..Failure::default()
            });
        } else if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            // The newest of that name: another program may have a test of the same one.
            self.of = self.failures.iter().rposition(|failure| failure.name == name);
        } else if line == "failures:" {
            self.of = None;
        } else if let Some(failure) = self.of.and_then(|index| self.failures.get_mut(index)) {
            failure.take(line);
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a_night_is_sold_once ... ok
test a_late_payment_is_refunded ... FAILED
test an_error_comes_back ... FAILED

failures:

---- a_late_payment_is_refunded stdout ----
something that was printed

thread 'a_late_payment_is_refunded' (42) panicked at app/x.rs:7:5:
assertion `left == right` failed
  left: 1

 right: 2
stack backtrace:
   0: __rustc::rust_begin_unwind
the last of 3 lines in the log of its processes:

---- an_error_comes_back stdout ----
Error: \"no\"


failures:
    a_late_payment_is_refunded
    an_error_comes_back

test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.03s

test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";

    #[test]
    fn the_results_of_all_test_programs_are_added_up_and_passed_through() {
        let mut counts = Counts::default();
        let mut copy = Vec::new();

        pass_through(OUTPUT.as_bytes(), &mut copy, &mut counts).expect("memory");

        assert_eq!(copy, OUTPUT.as_bytes());
        assert_eq!((counts.passed, counts.failed, counts.skipped), (13, 2, 1));
        let names: Vec<&str> = counts
            .failures
            .iter()
            .map(|failure| failure.name.as_str())
            .collect();
        assert_eq!(names, ["a_late_payment_is_refunded", "an_error_comes_back"]);
    }

    #[test]
    fn a_failure_keeps_its_own_panic_without_backtrace_and_what_was_printed() {
        let mut counts = Counts::default();

        pass_through(OUTPUT.as_bytes(), std::io::sink(), &mut counts).expect("memory");

        assert_eq!(
            counts.failures[0].said(),
            [
                "thread 'a_late_payment_is_refunded' (42) panicked at app/x.rs:7:5:",
                "assertion `left == right` failed",
                "  left: 1",
                "",
                " right: 2",
            ]
        );
        assert_eq!(counts.failures[1].said(), ["Error: \"no\""]);
    }

    #[test]
    fn a_long_failure_is_cut() {
        let mut failure = Failure::default();
        failure.take("thread 'x' (1) panicked at a.rs:1:1:");
        for _ in 0..1000 {
            failure.take("much");
        }
        assert_eq!(failure.said().len(), LINES);
    }
}
