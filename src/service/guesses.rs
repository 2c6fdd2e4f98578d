//! Counts what people guess about an account: passwords, codes, recovery codes and reset tokens together, at every
//! door, so that no door makes up for the delays of another.

use crate::{
    app::App,
    auth::Actor,
    domain::user::{Email, User},
    error::{Error, Result, problem},
    store::WriteTx,
};
use std::net::{IpAddr, Ipv4Addr};

/// The account that is guessed about, and the address that the guesses come from.
#[derive(Clone)]
pub(super) struct Guesses {
    app: App,
    account: String,
    address: IpAddr,
}

impl Guesses {
    /// Those about the account of an e-mail address as it was typed.
    pub(super) fn about(app: &App, typed: &str, address: Option<IpAddr>) -> Self {
        let account = Email::parse(typed).map_or_else(|| typed.to_owned(), |email| email.to_string());
        Self { app: app.clone(), account, address: address_or_none(address) }
    }

    /// Those of a signed-in user about their own account.
    pub(super) fn about_oneself(app: &App, actor: &Actor, user: &User) -> Self {
        Self { app: app.clone(), account: user.address().to_owned(), address: address_or_none(actor.address) }
    }

    /// Whether a guess may be made now. Call this before anything is verified.
    ///
    /// # Errors
    /// `login_delayed` or `rate_limited`, with the time to wait.
    pub(super) fn check(&self) -> Result<()> {
        self.app.login_delays.check(&self.account, self.address, self.app.clock.now())
    }

    /// Counts a wrong guess, and returns the error for it: `wrong`, or the delay that other guesses have caused
    /// meanwhile.
    pub(super) fn failed(&self, wrong: Error) -> Error {
        let refusal = self.app.login_delays.record_failure(&self.account, self.address, self.app.clock.now());
        if refusal.is(&problem::INVALID_CREDENTIALS) { wrong } else { refusal }
    }

    /// Records that everything was right, which resets the count.
    ///
    /// # Errors
    /// Those of [`Self::check`], if other guesses were wrong meanwhile: then this one must be refused too.
    pub(super) fn succeeded(&self) -> Result<()> {
        self.app.login_delays.record_success(&self.account, self.address, self.app.clock.now())
    }
}

/// Tells the other processes on the journal what was guessed here, so that delays hold at all of them.
///
/// # Errors
/// Those of a write.
pub async fn share(app: &App) -> Result<()> {
    let news = app.login_delays.take_news();
    if news.is_empty() {
        return Ok(());
    }
    let tell = move |tx: &WriteTx<'_>| {
        for fact in &news {
            tx.tell(fact.clone());
        }
        Ok(())
    };
    app.store.write("auth.share_failures", tell).await
}

fn address_or_none(address: Option<IpAddr>) -> IpAddr {
    address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// Whether a secret that names no account may be guessed from this address now.
///
/// # Errors
/// `rate_limited` with the time to wait.
pub(super) fn check_stranger(app: &App, address: Option<IpAddr>) -> Result<()> {
    app.login_delays.check_address(address_or_none(address), app.clock.now())
}

/// Counts a wrong secret that names no account, and returns the error for it.
pub(super) fn stranger_failed(app: &App, address: Option<IpAddr>, wrong: Error) -> Error {
    let counted = app.login_delays.record_failure_of_address(address_or_none(address), app.clock.now());
    counted.err().unwrap_or(wrong)
}
