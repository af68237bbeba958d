//! The steps of an order (contract.md §3.2): Scheduling (nights and meals held), Pre-Processing (payment), Processing (stay
//! confirmed), Post-Processing (guest and host told), Completed; or Failed, and undone in reverse.

/// Name and place of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Scheduling,
    PreProcessing,
    Processing,
    PostProcessing,
    Completed,
    Failed,
}

impl Name {
    /// As the outside reads it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Name::Scheduling => "Scheduling",
            Name::PreProcessing => "Pre-Processing",
            Name::Processing => "Processing",
            Name::PostProcessing => "Post-Processing",
            Name::Completed => "Completed",
            Name::Failed => "Failed",
        }
    }

    /// Place among the steps of an order. A step happens once an attempt, so that the place is known without asking, and
    /// recording it twice is one row.
    pub(crate) fn seq(self, attempt: i64) -> i64 {
        let place = match self {
            Name::Scheduling => 1,
            Name::PreProcessing => 2,
            Name::Processing => 3,
            Name::PostProcessing => 4,
            Name::Completed => 5,
            Name::Failed => 6,
        };
        attempt * 10 + place
    }
}

/// One row of an order's history. Times are unix milliseconds, 0 means not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) seq: i64,
    pub(crate) name: String,
    pub(crate) attempt: i64,
    pub(crate) node: String,
    pub(crate) error: String,
    pub(crate) started_at_ms: i64,
    pub(crate) ended_at_ms: i64,
    pub(crate) undo_started_at_ms: i64,
    pub(crate) undo_ended_at_ms: i64,
}

impl Step {
    /// A step that has begun.
    pub(crate) fn begun(name: Name, attempt: i64, at_ms: i64, node: &str) -> Self {
        Self {
            seq: name.seq(attempt),
            name: name.text().to_owned(),
            attempt,
            node: node.to_owned(),
            error: String::new(),
            started_at_ms: at_ms,
            ended_at_ms: 0,
            undo_started_at_ms: 0,
            undo_ended_at_ms: 0,
        }
    }

    /// A step that began and ended at once.
    pub(crate) fn done(name: Name, attempt: i64, at_ms: i64, node: &str) -> Self {
        Self {
            ended_at_ms: at_ms,
            ..Self::begun(name, attempt, at_ms, node)
        }
    }

    /// Says what went wrong in it.
    pub(crate) fn error(mut self, error: &str) -> Self {
        error.clone_into(&mut self.error);
        self
    }

    /// Its undoing has begun.
    pub(crate) fn undoing(mut self, at_ms: i64) -> Self {
        self.undo_started_at_ms = at_ms;
        self
    }
}
