//! The application: everything that requests share, built once, here.

/// The shared parts; cheap to clone.
#[derive(Clone)]
pub struct App {}
