//! The one place where a test may wait for time to pass: in small steps, until a condition holds or a timeout ends.

use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until the condition holds. After the timeout, fails the test with `what` as the message.
pub async fn eventually<C, F>(timeout: Duration, what: &str, mut condition: C)
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    eventually_some(timeout, what, || {
        let checked = condition();
        async move { checked.await.then_some(()) }
    })
    .await;
}

/// The same for a condition that yields a value.
pub async fn eventually_some<T, C, F>(timeout: Duration, what: &str, mut condition: C) -> T
where
    C: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        // Checking the condition must not outlast the timeout either.
        let left = timeout.saturating_sub(started.elapsed());
        if let Ok(Some(value)) = tokio::time::timeout(left.max(POLL_INTERVAL), condition()).await {
            return value;
        }
        assert!(started.elapsed() < timeout, "not within {timeout:?}: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The same where nothing can be awaited, such as in a destructor. Returns whether the condition held in time.
pub fn eventually_blocking(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() >= timeout {
            return false;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_is_checked_until_it_holds() {
        let mut checked = 0;
        eventually(Duration::from_secs(60), "third time lucky", || {
            checked += 1;
            let holds = checked == 3;
            async move { holds }
        })
        .await;
        assert_eq!(checked, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "the moon is cheese")]
    async fn a_condition_that_never_holds_fails_the_test() {
        eventually(Duration::from_millis(20), "the moon is cheese", std::future::pending).await;
    }
}
