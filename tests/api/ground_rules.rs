//! What holds for every operation: what may be sent, in which order it is checked, and what every answer carries.

mod answers;
mod bodies;
mod order_of_checks;
mod queries;
