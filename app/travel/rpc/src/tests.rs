//! Use cases over a real database, as other services see them.

mod book;
mod listing;
mod rules;
mod sample;
mod sweep;
mod world;
