//! Questions that only the API server can answer, before something is done that cannot be taken back. Each pass asks a
//! bounded number of them; what is left is not acted on.

use std::collections::HashSet;
use std::sync::Arc;

use api::ipam::capi::{self, IPAddressClaim};
use api::ipam::{IPAddress, IPClaim};
use futures::{StreamExt as _, TryStreamExt as _};
use kit::clock::Clock;
use kit::key::Key;
use kit::pass::Fault;
use kit::runtime::Context;

use crate::kinds::{Address, Claim, Flavor};
use crate::view::{AddressSeen, ClaimSeen, HoldOff};

/// Questions of one sort that a pass asks the API server, at most; what is left waits for the next pass.
const LIVE_READS: usize = 64;
/// So many of them at once.
const AT_ONCE: usize = 16;

/// Asks for all that no cache can say for sure and that the next decision needs. Mostly there is nothing to ask. Answers
/// how much was left for the next pass. `all` are the pool's claims in the cache, those of other managers, too.
pub(crate) async fn ask_all(
    context: &Context,
    all: &[Claim],
    claims: &mut [ClaimSeen],
    addresses: &mut Vec<AddressSeen>,
) -> Result<usize, Fault> {
    let lost = confirm_missing(context, all, addresses).await?;
    Ok(lost + unseen(context, claims, addresses).await?)
}

/// Asks some of these questions, as many as one pass may, and beginning anywhere, so that those which are asked again in
/// each pass never keep out the others. Answers come with their questions; the questions that are left follow.
async fn ask<Q: Clone, A, F>(
    clock: &Clock,
    mut questions: Vec<Q>,
    answer: impl Fn(Q) -> F,
) -> Result<(Vec<(Q, A)>, Vec<Q>), Fault>
where
    F: Future<Output = Result<A, Fault>>,
{
    if questions.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut rest = Vec::new();
    if questions.len() > LIVE_READS {
        let begin = (clock.seed() % questions.len() as u64) as usize;
        questions.rotate_left(begin);
        rest = questions.split_off(LIVE_READS);
    }
    let asking = questions.into_iter().map(|question| {
        let answer = answer(question.clone());
        async move { answer.await.map(|answer| (question, answer)) }
    });
    let answers = futures::stream::iter(asking).buffered(AT_ONCE).try_collect().await?;
    Ok((answers, rest))
}

/// Marks our addresses without a claim. The cache may not have seen a new claim yet, and ending an address cannot be
/// taken back.
async fn confirm_missing(context: &Context, claims: &[Claim], addresses: &mut [AddressSeen]) -> Result<usize, Fault> {
    let known: HashSet<_> = claims.iter().map(Claim::name).collect();
    let lost = |seen: &AddressSeen| seen.address.is_ours() && !known.contains(&seen.address.claim());
    let questions = addresses.iter().enumerate().filter(|(_, seen)| lost(seen)).map(|(at, seen)| {
        let (flavor, name) = seen.address.claim();
        (at, flavor, Key::new(seen.address.meta().namespace.clone().unwrap_or_default(), name))
    });
    let exists = async |(_, flavor, key): (usize, Flavor, Key)| match flavor {
        Flavor::Metal3 => context.io.get::<IPClaim>(&key).await.map(|claim| claim.is_some()),
        Flavor::Capi => context.io.get::<IPAddressClaim>(&key).await.map(|claim| claim.is_some()),
    };
    let (answers, rest) = ask(&context.clock, questions.collect(), exists).await?;
    for ((at, ..), exists) in answers {
        addresses[at].claim_is_gone = !exists;
    }
    Ok(rest.len())
}

/// Adds the addresses that claims were told and that the cache has not seen yet. Two managers may have served the claim
/// at once; only the API server can say whether its address is gone and may be replaced.
async fn unseen(context: &Context, claims: &mut [ClaimSeen], addresses: &mut Vec<AddressSeen>) -> Result<usize, Fault> {
    let seen: HashSet<_> = addresses.iter().map(|seen| (seen.address.claim(), seen.address.name())).collect();
    let questions =
        claims.iter().enumerate().filter(|(_, seen)| !seen.claim.is_deleting()).filter_map(|(at, claim)| {
            let claim = &claim.claim;
            let told = claim.told().filter(|told| !seen.contains(&(claim.name(), *told)))?;
            Some((at, claim.name().0, Key::new(claim.meta().namespace.clone().unwrap_or_default(), told)))
        });
    let read = async |(_, flavor, key): (usize, Flavor, Key)| address(context, flavor, &key).await;
    let (answers, rest) = ask(&context.clock, questions.collect(), read).await?;
    for ((at, ..), address) in answers {
        let Some(address) = address.filter(|address| address.claim() == claims[at].claim.name()) else { continue };
        // What the cache shows under this name is of an earlier life.
        let id = |address: &Address| (address.flavor(), address.name().to_owned());
        addresses.retain(|seen| id(&seen.address) != id(&address));
        addresses.push(AddressSeen { address, claim_is_gone: false });
    }
    for (at, ..) in &rest {
        claims[*at].hold_off.get_or_insert(HoldOff::Unconfirmed);
    }
    Ok(rest.len())
}

/// Some address objects as the API server has them, at most as many as one pass asks for. Who asks does so after a write
/// that failed; an answer that fails, too, says nothing that is not told already.
pub(crate) async fn addresses(context: &Context, names: Vec<(Flavor, Key)>) -> Vec<Address> {
    let read = async |(flavor, key): (Flavor, Key)| address(context, flavor, &key).await;
    let answers = ask(&context.clock, names, read).await.map(|(answers, _)| answers);
    answers.unwrap_or_default().into_iter().filter_map(|(_, address)| address).collect()
}

/// An address object as the API server has it.
pub(crate) async fn address(context: &Context, flavor: Flavor, key: &Key) -> Result<Option<Address>, Fault> {
    Ok(match flavor {
        Flavor::Metal3 => context.io.get::<IPAddress>(key).await?.map(|live| Address::Metal3(Arc::new(live))),
        Flavor::Capi => context.io.get::<capi::IPAddress>(key).await?.map(|live| Address::Capi(Arc::new(live))),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use kit::pass::Class;

    use super::*;

    #[tokio::test]
    async fn a_pass_asks_a_bounded_number_of_questions_and_leaves_none_out_for_ever() {
        let clock = Clock::following_tokio(jiff::Timestamp::UNIX_EPOCH, 7);
        let (open, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut asked = BTreeSet::new();
        for pass in 1_usize.. {
            assert!(pass <= 100, "{} of 500 after a hundred passes", asked.len());
            let (open, most) = (&open, &most);
            let answer = |question: usize| async move {
                most.fetch_max(open.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                open.fetch_sub(1, Ordering::Relaxed);
                Ok(question + 1)
            };
            // Nothing comes of the answers, so that each pass has the same questions.
            let (answers, rest) = ask(&clock, (0..500).collect(), answer).await.unwrap();
            assert!(answers.len() == LIVE_READS && answers.iter().all(|(question, answer)| question + 1 == *answer));
            asked.extend(answers.iter().map(|(question, _)| *question));
            let all: BTreeSet<usize> = answers.into_iter().map(|(question, _)| question).chain(rest).collect();
            assert_eq!(all.len(), 500, "each question is answered or left, and once only");
            if asked.len() == 500 {
                break;
            }
        }
        assert_eq!(most.load(Ordering::Relaxed), AT_ONCE);
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_ends_the_look() {
        let clock = Clock::following_tokio(jiff::Timestamp::UNIX_EPOCH, 7);
        let answer = async |question: usize| match question {
            2 => Err(Fault::new(Class::Backoff, "Down", "no answer")),
            _ => Ok(()),
        };
        let fault = ask(&clock, (0..5).collect(), answer).await.unwrap_err();
        assert_eq!(fault.reason, "Down");
    }
}
