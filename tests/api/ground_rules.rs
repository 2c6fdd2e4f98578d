//! Rules for every operation: what a request may carry, in which order it is checked, and what every response has.

mod answers;
mod bodies;
mod negotiation;
mod order_of_checks;
mod queries;
