//! Use cases over a real database, as other services see them.

mod blocks;
mod book;
mod change;
mod contention;
mod hosting;
mod listing;
mod oracle;
mod rules;
mod sample;
mod sweep;
mod terms;
mod world;
mod zones;
