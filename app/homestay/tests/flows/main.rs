//! The flows across domains, played against the running program.

mod booking;
mod closing;
mod contention;
mod crash;
mod demo;
mod harness;
mod input;
mod operators;
mod startup;
