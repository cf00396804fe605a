//! The one place where a test may wait for time to pass: in small steps, for a condition, within a bound.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(10);

/// Waits until the condition holds; fails the test, naming `what`, if it does not within the bound.
pub async fn eventually<C, F>(bound: Duration, what: &str, mut condition: C)
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    eventually_some(bound, what, || {
        let asked = condition();
        async move { asked.await.then_some(()) }
    })
    .await;
}

/// The same for a condition that comes with a value.
pub async fn eventually_some<T, C, F>(bound: Duration, what: &str, mut condition: C) -> T
where
    C: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        // The condition itself must not outlast the bound either.
        let left = bound.saturating_sub(started.elapsed());
        if let Ok(Some(value)) = tokio::time::timeout(left.max(POLL), condition()).await {
            return value;
        }
        assert!(started.elapsed() < bound, "not within {bound:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// The same for a place that cannot await, such as a destructor. Answers whether the condition came to hold.
pub fn eventually_blocking(bound: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() >= bound {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_is_asked_until_it_holds() {
        let mut asked = 0;
        eventually(Duration::from_secs(60), "third time lucky", || {
            asked += 1;
            let holds = asked == 3;
            async move { holds }
        })
        .await;
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "the moon is cheese")]
    async fn a_condition_that_never_holds_fails_the_test() {
        eventually(Duration::from_millis(20), "the moon is cheese", std::future::pending).await;
    }
}
