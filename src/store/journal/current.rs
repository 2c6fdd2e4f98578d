//! How far the journal goes, for readers that must not miss what another process has acknowledged. One question is
//! under way at a time, for all who wait.

use super::postgres::{Connect, Session};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

type Answer = Result<i64, Arc<str>>;

/// Asks for the number of the newest entry.
pub(in crate::store) struct Current(mpsc::UnboundedSender<oneshot::Sender<Answer>>);

impl Current {
    /// Starts the task that asks. It ends with this.
    pub(in crate::store) fn start(connect: Connect) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        tokio::spawn(answer(connect, asked));
        Self(ask)
    }

    /// The number of the newest entry at some moment after this call.
    pub(in crate::store) async fn head(&self) -> Answer {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(reply);
        answer.await.unwrap_or_else(|_| Err("the process ends".into()))
    }
}

async fn answer(connect: Connect, mut asked: mpsc::UnboundedReceiver<oneshot::Sender<Answer>>) {
    let mut session = None;
    while let Some(first) = asked.recv().await {
        let mut waiting = vec![first];
        while let Ok(another) = asked.try_recv() {
            waiting.push(another);
        }
        let answer = ask(&connect, &mut session).await;
        for reply in waiting {
            // Who asked may be gone.
            let _ = reply.send(answer.clone());
        }
    }
}

/// Asks on the session that is there and, if that has ended in the meantime, on a new one.
async fn ask(connect: &Connect, session: &mut Option<Session>) -> Answer {
    if let Some(used) = session.take()
        && let Ok(head) = used.head().await
    {
        *session = Some(used);
        return Ok(head);
    }
    let asked = async {
        let new = Session::connect(connect).await?;
        new.head().await.map(|head| (new, head))
    };
    let (new, head) = asked.await.map_err(|fault| Arc::from(fault.to_string()))?;
    *session = Some(new);
    Ok(head)
}
