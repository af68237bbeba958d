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
    /// Names of the tests that failed.
    pub names: Vec<String>,
}

impl Counts {
    /// Adds what another step counted.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.names.extend(other.names.iter().cloned());
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
            self.names.push(name.to_owned());
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
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.03s

test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";

    #[test]
    fn the_results_of_all_test_programs_are_added_up_and_passed_through() {
        let mut counts = Counts::default();
        let mut copy = Vec::new();

        pass_through(OUTPUT.as_bytes(), &mut copy, &mut counts).expect("memory");

        assert_eq!(copy, OUTPUT.as_bytes());
        assert_eq!((counts.passed, counts.failed, counts.skipped), (13, 1, 1));
        assert_eq!(counts.names, ["a_late_payment_is_refunded"]);
    }
}
