#!/usr/bin/env bash
# Breaks the program on purpose, in one place at a time, and shows which test notices. Works on a
# copy; prints the table of mutations.md. Takes half an hour, so it is run by hand:
#   tests/mutations.sh [WORD]...    only those whose description has one of these words
set -euo pipefail
cd "$(dirname "$0")/.."
{ # All of it is read before any of it is run, so that it may be edited meanwhile.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# A place of its own: nobody else is to run a program that was broken on purpose.
export CARGO_TARGET_DIR=$PWD/target/mutations CARGO_TERM_COLOR=never RUST_BACKTRACE=0
git ls-files | tar -cf - -T - | tar -xf - -C "$copy"
cd "$copy"
missed=0

# mutate DESCRIPTION FILE PERL-EXPRESSION TEST-ARGUMENT...
mutate() {
  local what=$1 file=$2 expression=$3 word
  shift 3
  if [ ${#words[@]} -gt 0 ]; then
    for word in "${words[@]}"; do [[ $what == *"$word"* ]] && break; done
    [[ $what == *"$word"* ]] || return 0
  fi
  cp "$file" original
  perl -0pi -e "$expression" "$file"
  if cmp -s "$file" original; then
    echo "mutation does not apply: $what" >&2
    missed=1
    return
  fi
  local log caught status=0
  log=$(timeout -k 5 300 cargo test --locked "$@" 2>&1 | tr -d '\0') || status=$?
  caught=$(grep -E '^test .*FAILED$' <<<"$log" | sed -E 's/^test (.*) \.\.\. FAILED$/`\1`/' | sort -u | head -3 | paste -sd, | sed 's/,/, /g') || true
  local transcript
  transcript=$(grep -oE '^tests/transcripts/[^:]*\.txt' <<<"$log" | sort -u | head -2 | sed -E 's|.*/(.*/.*)|`\1`|' | paste -sd, | sed 's/,/, /g') || true
  if [ "$status" = 124 ]; then
    caught="one of \`${*: -1}\`, which never ends"
  elif [ -z "$caught" ]; then
    if grep -q '^error' <<<"$log" && ! grep -q '^running' <<<"$log"; then caught='does not compile'; else caught='**nothing**'; fi
    missed=1
  fi
  echo "| $what | $caught${transcript:+ ($transcript)} |"
  mv original "$file"
}

words=("$@")
echo '| Without | notices |'
echo '| --- | --- |'

fetch=(--lib fetch::tests)
cut=(--lib fetch::tests::whenever_the_power_is_cut)
hostile=(--test tests transcripts::a_hostile)
mutate 'the sync of a message' src/store/maildir.rs 's/self\.open\(\)\?\.sync\(\)\?;/self.open()?;/' "${fetch[@]}"
mutate 'what comes of a file that others wait for' src/store/delivery.rs 's/ended\.fold\(done, Result::and\)/ended.fold(done, |done, _| done)/' --lib store::tests
mutate 'the sync of a new journal'"'"'s directories' src/store/journal.rs 's/sync_names\(&\*self\.disk, &self\.dir\)\?;//' "${fetch[@]}"
mutate 'the sync of a rewritten journal' src/store/journal.rs 's/file\.sync\(\)(\.map_err\(failed\)\?;\s+drop\(file\))/Ok(())$1/' "${fetch[@]}"
mutate 'the sync of a rewritten journal'"'"'s name' src/store/journal.rs 's/self\.disk\.sync_dir\(&self\.dir\)/Ok(())/' "${fetch[@]}"
mutate 'mending a torn journal' src/store/journal.rs 's/disk\.truncate\(&path, replay\.octets\)/Ok(())/' "${fetch[@]}"
mutate 'the sync of new/' src/store/delivery.rs 's/self\.sync_opened\(&\*into, &new\)\?;(\s+\/\/ What will be deleted)/$1/' "${cut[@]}"
mutate 'the sync of new/ in recovery' src/store/recovery.rs 's/self\.sync_opened\(&\*dir, &path\)\?;//' "${fetch[@]}"
mutate 'the sync of announcements' src/store/journal.rs 's/(self\.append\(&text\)\?;\s+)self\.sync\(\)\?;(\s+self\.seen\.intents\.extend)/$1$2/' "${cut[@]}"
mutate 'rewriting the journal in recovery' src/store/recovery.rs 's/self\.journal\.rewrite\(\)\?;//' "${cut[@]}"
mutate 'the sync of a new Maildir, whole' src/store.rs 's/self\.sync_dir\(root\)\?;//' "${cut[@]}"
mutate 'the announcement' src/store/delivery.rs 's/self\.journal\.record_intents\([^;]*\?;/let _ = (root, intents);/' "${cut[@]}"
mutate 'leaving files that were announced' src/store/delivery.rs 's/message\.as_mut\(\)\.keep_file\(\);/let _ = message.as_mut();/' "${fetch[@]}"
mutate 'the removal of what was left in tmp/' src/store.rs 's/store\.sweep\(\)\?;//' "${fetch[@]}"
mutate 'forgetting in the journal what has vanished long ago' src/store/journal.rs 's/&format!\("\{\}\{text\}", self\.forgotten\)/text/' --lib store::journal
mutate 'the order of announcement and delivery' src/store/delivery.rs 's/(self\.journal\.record_intents\([^;]*\?;)(\s+let into = [^;]*;\s+for \(message, _\) in &mut batch \{\s+let draft.*?\n        \})/$2$1/s' "${fetch[@]}"
store=(--lib store::)
pop3=(--test tests transcripts::mail_is_fetched)
mutate 'the lock' src/store/disk.rs 's/Err\(TryLockError::WouldBlock\) => return Ok\(None\),(\s+Err\(TryLockError::Error\(error\)\) => return Err)/Err(TryLockError::WouldBlock) => {}$1/' "${store[@]}"
mutate 'the end of a lock that a child has too' src/store/disk.rs 's/drop\(self\.0\.unlock\(\)\);//' --lib store::tests::a_lock
mutate 'the check of whose directory it is' src/store.rs 's/disk\.check_place\(state\)\?;//' --test tests least_surprise
mutate 'deleting only what was delivered here' src/store/seen.rs 's/Some\(place\) if place != here/Some(place) if false \&\& place != here/' "${store[@]}"
mutate 'deleting nothing of another size' src/store/seen.rs 's/if entry\.is_resized\(\) \|\| is_other_size/if entry.is_resized()/; s/let is_same_size = [^;]*;/let is_same_size = true;/' "${store[@]}"
mutate 'deleting nothing whose size was never known' src/store/seen.rs 's/let is_same_size = [^;]*;/let is_same_size = true;/' "${store[@]}"
mutate 'comparing what once had another size' src/store/seen.rs 's/if entry\.is_resized\(\) \|\| is_other_size/if is_other_size/' "${store[@]}"
mutate 'comparing what was away' src/store/seen.rs 's/\|\| !entry\.is_unbroken\(\)//' "${store[@]}"
mutate 'comparing everything where a name was used again' src/store/seen.rs 's/self\.reuses_uids \|\| //' "${store[@]}"
mutate 'deleting nothing that shares its name' src/store/seen.rs 's/if entry\.copies\(\) > 1 \|\| entry\.is_shared\(\)/if false/' "${store[@]}"
mutate 'the mark of a unique-id that is listed twice' src/store/entry.rs 's/self\.marks \|= SHARED;/{}/' "${store[@]}"
mutate 'beginning a listing anew in another session' src/pop3/session/listing.rs 's/listing\.begin\(\);//' --test tests transcripts::mail_is_fetched
mutate 'counting a known message among those of its unique-id' src/fetch/sorting.rs 's/\.for_each\(\|uid\| plan\.count_known\(uid\)\);/.for_each(drop);/' "${pop3[@]}"
mutate 'asking for all without a word on new unique-ids' src/fetch/sorting.rs 's/if known == 0 && self\.fetched\.new == 0 \{/if known == 0 || self.job.all {/' "${pop3[@]}"
mutate 'entries that are removed' src/store/entries.rs 's/!entry\.is_removed\(\)/!entry.is_removed() || true/' "${store[@]}"
mutate 'the index of unique-ids that do not grow' src/store/entries.rs 's/if self\.index\.is_none\(\) \{/if self.index.is_none() \&\& false {/' "${store[@]}"
mutate 'a number that has no room' src/store/entry.rs 's/if high\.iter\(\)\.all\(\|&octet\| octet == 0\)/if true || high.is_empty()/' "${store[@]}"
mutate 'deleting only what proved equal' src/store/delivery.rs 's/if self\.journal\.seen\.is_text_of\(&uid, digest\)/if true/' "${store[@]}"
mutate 'equal to what was delivered elsewhere' src/store/delivery.rs 's/each\(if is_here \{/each(if is_here || true {/' "${store[@]}"
mutate 'noting a deletion before it is asked for' src/store.rs 's/self\.journal\.record_deletions\(uids[^;]*\?;/let _ = uids;/; s/let follow_up = if self\.options\.deletes_at_once/let follow_up = if false/' "${pop3[@]}"
mutate 'void for a rename that fails' src/store/delivery.rs 's/self\.journal\.resolve\(is_it, FollowUp::None\)\?;/let _ = is_it;/' "${store[@]}"
mutate 'absence that proves nothing' src/store/recovery.rs 's/if !self\.exists\(&from\)\? \{\s+continue;/if !self.exists(\&from)? { found.insert(intent.name.clone()); continue;/' "${store[@]}"
mutate 'the Maildir that has gone' src/store.rs 's/&& !self\.maildir\.is_there\(\)\?/\&\& false/; s/if !self\.exists\(dir\)\?/if false \&\& !self.exists(dir)?/' "${store[@]}"
mutate 'the distrust of what stands before a hole' src/store/journal/replay.rs 's/Some\(Passed::Hole\) => self\.seen\.distrust\(\)/Some(Passed::Hole) => {}/' "${store[@]}"
mutate 'the distrust of a damaged journal' src/store/journal/replay.rs 's/if self\.is_damaged \{\s+self\.seen\.distrust\(\);\s+\}//' "${store[@]}"
mutate 'the credible clock' src/store/entry.rs 's/time >= limits::EARLIEST/time >= limits::EARLIEST || true/' "${store[@]}"
mutate 'the reply behind a message' src/pop3/session.rs 's/\(self\.confirm\)\(\)\?;//; s/unconfirmed\.set\(Some\(retrieved\)\);\s+Ok\(\(\)\)/each.borrow_mut()(Ok(retrieved)).map_err(Interrupted::ByCaller)/; s/\(Interrupted::ByServer\(Error::Wire\(error\)\), Some/(Interrupted::ByServer(Error::Wire(error)), Some::<Retrieved<D>>/' "${hostile[@]}"
mutate 'the bound of a text' src/limits.rs 's/EXCESS: u64 = 64 << 20/EXCESS: u64 = 1 << 40/' "${hostile[@]}"
mutate 'the limit of a size that the listing hides' src/fetch/incoming.rs 's/if self\.arrived > self\.most/if false/' "${pop3[@]}"
outbox=(--lib outbox)
mutate 'the sync of a message in the outbox' src/store/outbox.rs 's/write\(&mut message\)\.and_then\(\|\(\)\| message\.sync\(\)\)/write(&mut message)/' "${outbox[@]}"
mutate 'the sync of an order in the outbox' src/store/outbox.rs 's/write_all\(text\.as_bytes\(\)\)\.and_then\(\|\(\)\| journal\.sync\(\)\)/write_all(text.as_bytes())/' "${outbox[@]}"
mutate 'the sync of an outbox' src/store/outbox.rs 's/self\.sync\(&self\.root\)\n/Ok(())\n/' "${outbox[@]}"
mutate 'the sync of a place in the outbox' src/store/outbox.rs 's/self\.sync\(&self\.root\.join\(place\.name\(\)\)\)\n/Ok(())\n/' "${outbox[@]}"
mutate 'the sync of a removal from the outbox' src/store/outbox.rs 's/self\.sync\(&self\.root\.join\(place\.name\(\)\)\)\?;(\s+self\.clear)/$1/' "${outbox[@]}"
mutate 'the sync of the history in the outbox' src/store/outbox/entry.rs 's/let synced = self\.journal\.sync\(\);/let synced: std::io::Result<()> = Ok(());/' "${outbox[@]}"
mutate 'mending what could not be written in the outbox' src/store/outbox/entry.rs 's/let mended = self\.outbox\.disk\.truncate\(&path, self\.length\);/let mended: std::io::Result<()> = Ok(());/' "${outbox[@]}"
mutate 'the mark in the outbox that the end of a message leaves' src/smtp/session/transaction.rs 's/\.and_then\(\|\(\)\| message\.mark\.set\(\)\.map_err\(wire::Error::Source\)\)//' "${outbox[@]}"
mutate 'the wait for the mark that the end of a message leaves' src/smtp/session/transaction.rs 's/\.and_then\(\|\(\)\| message\.mark\.sync\(\)\.map_err\(wire::Error::Source\)\)//' "${outbox[@]}"
mutate 'the mark in the outbox that a chunk leaves' src/smtp/session/transaction.rs 's/message\.mark\.set\(\)\.map_err\(wire::Error::Source\)\?;//' "${outbox[@]}"
mutate 'the wait for the marks that chunks leave' src/smtp/session/transaction.rs 's/Err\(error\) = transaction\.message\.mark\.sync\(\)/Err(error) = { let _ = \&transaction.message; Ok::<(), io::Error>(()) }/' --lib submission::tests::flights
mutate 'the sync of what a flight removes from the outbox' src/store/outbox.rs 's/outbox\.sync\(&outbox\.root\.join\(OutboxState::Waiting\.name\(\)\)\)\?;//' "${outbox[@]}"
mutate 'removing the files of what was sent' src/store/outbox/entry.rs 's/self\.0\.outbox\.clear\(&self\.0\.id\);//' --test tests outbox::
mutate 'the sync of answers before a fallback is tried' src/submission.rs 's/drop\(held\.sync\(\)\)/drop(held)/' --lib submission::tests::flights
mutate 'the sync of answers before a message fails' src/store/outbox/entry.rs 's/self\.sync\(\)\?;\s+let Self \{ outbox/let Self { outbox/' "${outbox[@]}"
mutate 'the sync of answers before the caller hears of them' src/submission/outbox.rs 's/held\.sync\(\)\?;//' "${outbox[@]}"
mutate 'the answers in the outbox' src/submission/transactions.rs 's/Some\(held\) => outbox::note\(held, now, answers, final_reply\),/Some(_) => { drop((answers, final_reply)); Ok::<(), crate::store::Error>(()) }/' "${outbox[@]}"
mutate 'the pause after a refused login' src/store/outbox.rs 's/count > 0 && until > now/count > 99 \&\& until > now/' "${outbox[@]}"
mutate 'the day that is the most between two attempts' src/store/outbox/record.rs 's/since\.min\(DAY\)/since/' "${outbox[@]}"
mutate 'the lock on what is being written to the outbox' src/store/outbox.rs 's/let Ok\(Some\(_lock\)\) = self\.locked\(&self\.tmp\(&id\)\) else \{ continue \};//' "${outbox[@]}"
mutate 'the sync before what was left in the outbox is removed' src/store/outbox.rs 's/if states\.iter\(\)\.all\([^{]*\{/if !states.is_empty() {/' "${outbox[@]}"
mutate 'the removal of what was left in the outbox, by a flush' src/queue.rs 's/settings\.outboxes\(\)\.iter\(\)\.for_each\(Outbox::sweep\);//' --test tests outbox::
mutate 'what counts once all of an incomplete order is resolved' src/store/outbox/record.rs 's/"to" => self\.resolving\.recipients\.push/"to" => self.order.recipients.push/' "${outbox[@]}"
mutate 'the removal from the outbox waiting for a final reply' src/submission/outbox.rs 's/if !held\.record\(\)\.is_finished\(\) \{/if false {/' "${outbox[@]}"
queued=(--test tests transcripts::what_cannot_be_sent_now)
mutate 'the last word to the sender before a message that failed goes' src/submission/outbox.rs 's/if is_heard \{\s+held\.sync\(\)\?;/if is_heard {\n self.held.take().map_or(Ok(()), LockedEntry::remove)?;/' --lib submission::tests::outbox
mutate 'waiting for what an incomplete order will resolve to' src/store/outbox/record.rs 's/self\.is_resolved && self\.waiting\(\)\.is_empty\(\)/self.waiting().is_empty()/' "${outbox[@]}"
mutate 'the refusal of an order that resolves to nobody' src/store/outbox/record.rs 's/\(!recipients\.is_empty\(\)\)\.then_some\(\(\)\)\?;//' "${outbox[@]}"
mutate 'the credible clock of an attempt' src/store/outbox/record.rs 's/self\.tried\.filter\(\|&tried\| tried >= limits::EARLIEST\)/self.tried/' "${outbox[@]}"
mutate 'waiting for a server that does not know a command' src/submission/outbox.rs 's/Subject::Sender \| Subject::Data, \.\. \}\) => \{\s+Exit::from\(error\) == Exit::Message/Subject::Sender | Subject::Data, .. }) => {\n matches!(Exit::from(error), Exit::Message | Exit::Missing)/' "${queued[@]}"
mutate 'the last word of a server that does not like a message' src/submission/outbox.rs 's/!refusal\.is_temporary\(\)/Exit::from(error) == Exit::Message \&\& refusal.code > 0/' "${queued[@]}"
mutate 'waiting for what an account lacks' src/submission/outbox.rs 's/(Extension::Auth \| Extension::Starttls => )false/$1true/' --test tests outbox
mutate 'waiting for a server that does not forget' src/smtp/session.rs 's/if reply\.code \/ 100 == 5 \{.*?\n        \}\n        if let Err\(refusal\) = reply\.accepted\(2, RSET\)\? \{.*?\n        \}/reply.accepted(2, RSET)?.map_err(|refusal| Error::Refused { what: Subject::Sender, refusal })?;/s' "${queued[@]}"
ownership=(--test tests ownership)
mutate 'the check of the owner of what is obeyed' src/ownership.rs 's/if owner == ROOT \|\|/if true || owner == ROOT ||/' "${ownership[@]}"
mutate 'the check of who may write' src/ownership.rs 's/metadata\.mode\(\) & WRITE != 0 \|\| /false \&\& /' "${ownership[@]}"
mutate 'the check of who may read' src/ownership.rs 's/if by_all \|\| by_some/if false/' "${ownership[@]}"
mutate 'the check of a directory of what is obeyed' src/ownership.rs 's/!is_sticky && is_writable_by_others/false \&\& is_writable_by_others/' "${ownership[@]}"
mutate 'reading ACLs' src/ownership.rs 's/let length = length\.unwrap_or_default\(\);/let length = 0 * length.unwrap_or_default();/' "${ownership[@]}"
mutate 'the check of what a link leads to' src/ownership.rs 's/if !same\(named, actual\)/if false/' "${ownership[@]}"
mutate 'the check of whose Maildir it is' src/store/maildir.rs 's/disk\.check_place\(dir\)\?;//' "${ownership[@]}"
mutate 'passing over the environment of another user' src/settings/places.rs 's/ && ownership::is_ours\(&named\)//' "${ownership[@]}"
mutate 'refusing links' src/store/disk.rs 's/OFlags::NOFOLLOW \| OFlags::NONBLOCK/OFlags::NONBLOCK/' --test tests least_surprise
mutate 'the mode of files' src/store/disk.rs 's/options\.mode\(0o600\)/options.mode(0o666)/' --test tests least_surprise
mutate 'doubt' src/smtp/session/transaction.rs 's/reply_to\(MESSAGE\)\.map_err\(Error::InDoubt\)/reply_to(MESSAGE).map_err(Error::Wire)/' --lib submission::tests
mutate 'doubt about a message that went along' src/smtp/session/transaction.rs 's/Ended::Broken\(error\) if left\.get\(\)/Ended::Broken(error) if false \&\& left.get()/' --lib submission::tests
mutate 'the check of what came before TLS' src/wire.rs 's/self\.ensure_no_buffered_input\(Phase::Answer\(verb\)\)\?;//' "${hostile[@]}"
mutate 'the check of what came before a command' src/wire.rs 's/self\.ensure_no_buffered_input\(phase\)\.map_err\(X::Error::from\)\?;//' "${hostile[@]}"
mutate 'the check that STLS is offered' src/pop3/session.rs 's/if !self\.offered\.stls/if false/' "${hostile[@]}"
mutate 'the check that STARTTLS is offered' src/smtp/session.rs 's/if !self\.offered\.starttls/if false/' "${hostile[@]}"
mutate 'masking what was sent in secret' src/wire/mask.rs 's/if self\.plain\.is_empty\(\)/if true/' "${hostile[@]}"
mutate 'masking a secret in base64' src/wire/mask.rs 's/if encoded\.len\(\) >= 4/if false/' "${hostile[@]}"
mutate 'masking challenges' src/wire.rs 's/Some\(status\) => Cow::Owned\(format!\("\{status\} \*\*\*\*"\)\.into_bytes\(\)\)/Some(_) => Cow::Borrowed(said)/' "${hostile[@]}"
mutate 'the privacy of Private' src/net.rs 's/\z/\nimpl wire::sealed::Sealed for Tcp {}\nimpl Private for Tcp { fn binding(&self) -> Option<[u8; 32]> { None } }\n/' --doc
mutate 'the login before a submission' src/smtp/session.rs 's/impl<S: Private> Session<Authenticated, S>/impl<State, S: Private> Session<State, S>/' --doc
mutate 'the proof that a message is safe' src/pop3/session.rs 's/\z/\nimpl<D> From<Retrieved<D>> for Deletable { fn from(retrieved: Retrieved<D>) -> Self { Self(retrieved.listed) } }\n/' --doc
mutate 'the refusal of plaintext to elsewhere' src/net.rs 's/if !peer\.ip\(\)\.to_canonical\(\)\.is_loopback\(\)/if false/' --lib net::tests
mutate 'the proof of a SCRAM server' src/sasl.rs 's/if !scram\.is_proven\(\)/if false/' "${hostile[@]}"
mutate 'the least of SCRAM rounds' src/limits.rs 's/4_096\.\.=/1..=/' "${hostile[@]}"
mutate 'the bound of a reply line' src/limits.rs 's/REPLY_LINE: usize = 12_288/REPLY_LINE: usize = 1 << 30/' "${hostile[@]}"
mutate 'the bounds of an SMTP reply' src/limits.rs 's/REPLY: usize = 64 << 10/REPLY: usize = 1 << 30/; s/REPLY_LINES: usize = 256/REPLY_LINES: usize = 1 << 30/' "${hostile[@]}"
mutate 'the bound of capabilities' src/limits.rs 's/CAPABILITIES: usize = 256/CAPABILITIES: usize = 1 << 30/' "${hostile[@]}"
mutate 'the bound of a sum of sizes' src/fetch/retrieval.rs 's/\.fold\(0, u64::saturating_add\)/.sum()/' "${hostile[@]}"
mutate 'the bound of a unique-id' src/limits.rs 's/UID: usize = 255/UID: usize = 1 << 30/' "${hostile[@]}"
mutate 'the bound of words that are shown' src/limits.rs 's/SHOWN: usize = 300/SHOWN: usize = 1 << 30/' --lib text
mutate 'the escapes of what is shown' src/text/escape.rs 's/c if is_unprintable\(c\)/c if false \&\& is_unprintable(c)/' "${hostile[@]}"
mutate 'the bound of messages that wait to be made safe' src/fetch/delivery.rs 's/waiting\.batch\.len\(\) >= self\.most && !waiting\.is_over/false/' --lib fetch::delivery
mutate 'the end of retrieving when nobody makes messages safe' src/fetch/delivery.rs 's/if waiting\.is_over \{\s+return Err\(Halt::Unkept\);\s+\}//' --lib fetch::delivery
mutate 'the room of a long unique-id' src/text/uid.rs 's/here\.get_mut\(\.\.octets\.len\(\)\)/here.get_mut(..octets.len().min(23))/' --lib text
mutate 'acknowledging at once' src/net.rs 's/drop\(self\.stream\.set_quickack\(true\)\);//' --lib net::tests
mutate 'the total deadline' src/net/deadline.rs 's/Duration::ZERO => Err\(self\.passed\(\)\)/Duration::ZERO => Ok(self.bounds.per_wait)/' --lib net::tests
mutate 'the refusal of QUIT' src/pop3/session.rs 's/(return Err\(Error::Refused \{ command: "QUIT", refusal \}\);)/if false { $1 }/' "${hostile[@]}"
mutate 'the stuffing of dots' src/dot.rs 's/if self\.line_start && first/if false \&\& first/' --lib dot
mutate 'the end of a text' src/wire/body.rs 's/return Err\(Error::Closed\(self\.phase\)\);(\s+\}\s+if text)/return Ok(total);$1/' "${fetch[@]}"
outcomes=(--lib submission::tests::outcomes)
mutate 'the refusal of the sender as the outcome at once' src/smtp/session/transaction.rs 's/self\.end\(Err\(Error::Refused \{ what: Subject::Sender, refusal \}\)\);/drop(refusal);/' "${outcomes[@]}"
mutate 'the refusal of all recipients as the outcome at once' src/smtp/session/transaction.rs 's/if self\.is_for_nobody\(envelope\)/if false \&\& self.is_for_nobody(envelope)/' "${outcomes[@]}"
mutate 'the end of a flight at 421' src/smtp/session/transaction.rs 's/\(Part::Rcpt\(\.\.\), Err\(refusal\)\) if refusal\.is_farewell\(\)/(Part::Rcpt(..), Err(refusal)) if false \&\& refusal.is_farewell()/; s/if is_farewell \{/if false \&\& is_farewell {/' "${outcomes[@]}"
mutate 'the certainty that what has not left is not there' src/smtp/session/transaction.rs 's/Ended::Broken\(error\) if left\.get\(\)/Ended::Broken(error) if true || left.get()/' "${outcomes[@]}"
mutate 'hearing out a server that has hung up' src/wire.rs 's/Err\(error\) if error\.is_hang_up\(\) =>/Err(error) if false \&\& error.is_hang_up() =>/' "${outcomes[@]}"
mutate 'the words of those who refuse, whatever follows' src/submission/transactions.rs 's/sent\.recipients\.extend\(refused\);/drop(refused);/' "${outcomes[@]}"
smtp=(--test tests transcripts::mail_is_submitted)
mutate 'keeping commands out of the flight of an envelope' src/smtp/session/transaction.rs 's/ \|\| message\.grouping == Grouping::Alone//' "${smtp[@]}"
mutate 'the end of a conversation after a refused chunk' src/smtp/session/transaction.rs 's/self\.is_over \|= !is_shared && \(is_chunk_out \|\| is_chunk_refused\);/let _ = (is_chunk_out, is_chunk_refused);/' "${outcomes[@]}"
mutate 'the doubt that an answer to recipients leaves' src/submission/transactions.rs 's/interrupted\.is_none\(\)\.then\(\|\| accepted\.as_deref\(\)\.unwrap_or_default\(\)\)/Some(accepted.as_deref().unwrap_or_default())/' "${outbox[@]}"
# Several messages in one flight.
flights=(--lib submission::tests::flights)
mutate 'the doubt about each message of a flight' src/smtp/session/transaction.rs 's/Ended::Broken\(error\) if left\.get\(\)/Ended::Broken(error) if is_first \&\& left.get()/' "${flights[@]}"
mutate 'the certainty that what has not left of a flight is not there' src/wire.rs 's/range\(before\.\.\)\.filter\(\|_\| unsent\.is_none\(\)\)/range(before..)/' "${flights[@]}"
mutate 'a write for each message of a flight' src/wire.rs 's/if is_end \{\s+break;\s+\}/let _ = is_end;/' "${flights[@]}"
mutate 'RSET behind each message of a flight' src/smtp/session/transaction.rs 's/\.chain\(is_shared\.then_some\(Part::Rset\)\)//' "${flights[@]}"
mutate 'the end of belief at RSET' src/smtp/session/transaction.rs 's/\(reply\.code \/ 100 != 2 \|\| reply\.code == 221\)/false/' "${flights[@]}"
mutate 'the end of belief at a message taken for nobody' src/smtp/session/transaction.rs 's/\(Part::Bdat\(_\), Ok\(reply\)\) if self\.outcome\.is_some\(\)/(Part::Bdat(_), Ok(reply)) if false \&\& self.outcome.is_some()/' "${flights[@]}"
mutate 'the end of a flight of several behind 421' src/smtp/session/transaction.rs 's/if is_farewell && \(error/if false \&\& (error/' "${flights[@]}"
mutate 'what is said of a flight of several after 421' src/smtp/session/transaction.rs 's/if is_shared \|\| \(/if (is_shared \&\& !is_farewell) || (/' "${flights[@]}"
mutate 'the doubt where a server went on after 421' src/smtp/session/transaction.rs 's/is_farewell = answer\.as_ref/is_farewell |= answer.as_ref/' "${flights[@]}"
mutate 'the first word on a message of a flight' src/smtp/session/transaction.rs 's/_ if self\.outcome\.is_some\(\) => \{\}//; s/self\.outcome\.get_or_insert\(outcome\);/self.outcome = Some(outcome);/' "${flights[@]}"
mutate 'the end of the mark of what was not reached' src/submission.rs 's/Ok\(held\.end\(self\.job\.run_id\.seconds, AttemptResult::Deferred, reason\)\?\)/{ let _ = (held, reason, AttemptResult::Deferred); Ok(()) }/' "${flights[@]}"
mutate 'keeping commands out of a flight of several' src/smtp/session/transaction.rs 's/\|\| is_any\(&OTHERS\)/|| false \&\& is_any(\&OTHERS)/' --lib smtp
mutate 'CHUNKING for a flight of several' src/smtp/session/transaction.rs 's/self\.offered\.pipelining && self\.offered\.chunking/self.offered.pipelining/' "${queued[@]}"
mutate 'the bound of messages in a flight' src/limits.rs 's/FLIGHT_MESSAGES: usize = 8/FLIGHT_MESSAGES: usize = 9/' --lib smtp
mutate 'the bound of octets in a flight' src/limits.rs 's/FLIGHT_OCTETS: u64 = 256 << 10/FLIGHT_OCTETS: u64 = 512 << 10/' --lib smtp
mutate 'the memory of a flight that failed' src/submission.rs 's/has_failed\.then\(\|\| server::failed\(job, Feature::Flights\)\);//' "${queued[@]}"
mutate 'one message at a time after a flight failed' src/queue/run.rs 's/self\.is_one_by_one \|= has_failed;/let _ = has_failed;/' --test tests outbox::a_server_at_which
mutate 'one message at a time in passing' src/queue/run.rs 's/if self\.verbosity == Verbosity::Passing \{\s+\/\/ Its time/if false {\n\/\/ Its time/' --test tests outbox::what_goes_with
mutate 'the next session for what was not reached' src/queue/run.rs 's/Ok\(\(\)\) => self\.waiting\.push_front\(Queued \{ outbox, id, submission \}\),\s+Err\(error\) => self\.note/Ok(()) => drop((outbox, id)),\nErr(error) => self.note/' "${queued[@]}"
mutate 'waiting for what a lost flight has left' src/smtp/session/transaction.rs 's/if self\.is_over\(\) \{/if false {/' "${queued[@]}"
mutate 'RSET before a message that shares no flight' src/smtp/session.rs 's/if self\.is_forgotten \{/if true {/' "${queued[@]}"
injected=(--test tests injected_words)
mutate 'the refusal of long options under the name sendmail' src/cli/sendmail.rs 's/Word::Long => \{\s+let word = shown/Word::Long => { self.options.push(word); if true { continue; } let word = OsString::new(); let word = shown/' "${injected[@]}"
mutate 'the end of options before recipients' src/cli/sendmail.rs 's/words\.push\(OsString::from\("--"\)\);\s+words\.extend\(self\.recipients\)/words.extend(self.recipients)/' --lib cli
mutate 'the owner of a configuration that sendmail is given' src/config.rs 's/metadata\.uid\(\) == 0 && metadata\.mode\(\) & 0o022 == 0/true/' "${injected[@]}"
mutate 'the silence about a configuration that sendmail is given' src/config.rs 's/Error::Wrong \{ path, \.\. \} => Error::NotShown\(path\),//' "${injected[@]}"
header=(--lib message::)
mutate 'the refusal of a CR in a field' src/message/header.rs 's/if text\.contains\(&b'"'\\\\r'"'\)/if false/' "${header[@]}"
mutate 'the refusal of control characters in a field' src/message/header.rs 's/octet\.is_ascii_control\(\) && octet != b'"'\\\\t'"'/false \&\& octet == 0/' "${header[@]}"
mutate 'the refusal of a header that breaks off' src/message/header.rs 's/self\.look_for_field\(number\);\s+if room/if room/' "${header[@]}"
mutate 'encoding a text with MIME fields' src/message/mime.rs 's/Some\("7bit" \| "8bit" \| "binary"\)/Some("none")/' "${header[@]}"
mutate 'leaving what is signed' src/message/mime.rs 's/if is_text && !is_signed/if is_text/' "${header[@]}"
mutate 'the refusal of what is binary' src/message.rs 's/if message\.is_binary\(\)/if false/' "${header[@]}"
mutate 'leaving the header of what is signed' src/message.rs 's/if !self\.fields\.iter\(\)\.any\(Field::is_signature\)/if true/' "${header[@]}"
mutate 'one recipient for two cases of a domain' src/smtp/session/envelope.rs 's/mailbox\.domain\(\)\.to_ascii_lowercase\(\)/mailbox.domain().to_owned()/' --lib smtp
mutate 'sending a message as a part without an encoding' src/compose.rs 's/"message\/rfc822" if found\.are_ascii/"message\/x" if found.are_ascii/' --lib compose
mutate 'encoding a text part that mail would not carry' src/message/plain.rs 's/if measure\.is_transport_safe\(Transport::SevenBit\)/if true/' --lib compose
mutate 'aliases for addresses at this machine' src/text/address.rs 's/\["localhost", "localhost\.localdomain", host, label\]/[""; 0]/' --test tests sendmail
mutate 'the line of an alias that runs a program' src/config/alias_file.rs 's/if let Some\(\(_, meaning\)\) = other \{/if let Some((_, meaning)) = other \&\& false {/' --test tests alias_file
mutate 'whose the alias file is' src/config.rs 's/ownership::check_writers\(&file, path\)\?;(\s+let text = bounded)/$1/' --test tests alias_file
mutate 'the fallback for nothing that is in doubt' src/submission/fallback.rs 's/ && !is_in_doubt\(error\);/;/' --test tests fallback
mutate 'the fallback for nothing that an earlier attempt left in doubt' src/submission/fallback.rs 's/if !is_untouched \|\| /if /' --test tests fallback
mutate 'waiting for the account after a refusal by its fallback' src/submission/transactions.rs 's/Some\(held\) if submission\.fallback_of\.is_some\(\)/Some(held) if false \&\& submission.fallback_of.is_some()/' --test tests fallback
mutate 'the doubt about one message being about no other' src/queue/run.rs 's/ && first\.fallback_of\.is_none\(\)//' --test tests fallback
mutate 'the end of an attempt in the outbox before the fallback'"'"'s' src/submission/fallback.rs 's/ \|\| self\.end_own\(&own\)\.is_err\(\)//' --test tests fallback
mutate 'keeping other processes out of the memory' src/memory.rs 's/let _ = set_dumpable_behavior[^;]*;//; s/DumpableBehavior, //; s/, set_dumpable_behavior//' --test tests memory
mutate 'the limit of core files' src/memory.rs 's/let _ = setrlimit[^;]*;/let _ = none;/; s/, setrlimit//' --test tests memory
mutate 'overwriting secrets' src/text/secret.rs 's/impl Secret \{/impl Drop for Secret { fn drop(\&mut self) { std::mem::forget(std::mem::take(\&mut *self.0)); } }\nimpl Secret {/; s/let Secret\(text\) = Secret::new\("not-a-secret"\);/let text = Secret::new("not-a-secret").0.clone();/' --test tests memory
mutate 'aliases in the header' src/message.rs 's/field\.set_value\(&written\.join\(", "\)\);/drop(written);/' "${header[@]}"
mutate 'the end of a message on standard input' src/send/smtp_input.rs 's/if octets\.is_empty\(\) \{\s+return Ok\(None\);/if octets.is_empty() {\n break;/' --lib smtp_input
mutate 'the silence about what is in doubt' src/send/smtp_input.rs 's/Exit::InDoubt => return Ok\(Conclusion::InDoubt\),/Exit::InDoubt => "250 2.0.0 ok:",/' --lib smtp_input
mutate 'a recipient refused alone, for a caller with one reply' src/submission/outbox.rs 's/Attempt::OneReply => held\.record\(\)\.sent\(\) == 0,/Attempt::OneReply => true,/' --test tests of_two_recipients
mutate 'all or nothing for one reply without an outbox' src/submission/first_attempt.rs 's/self\.demand = RecipientPolicy::All;//' --test tests of_two_recipients
mutate 'results outside the conversation' src/report.rs 's/_ if self\.is_stdout_taken => Ok\(\(\)\),//' --test tests frameworks_speak
mutate 'one line in a reply on standard input' src/send/smtp_input.rs 's/if c\.is_ascii_graphic\(\) \|\| c == '"' '"' \{ c \} else \{ '"'\?'"' \}/c/' --lib smtp_input
mutate 'the refusal of SMTP from elsewhere' src/ownership.rs 's/is_unix && socket_peercred/true || socket_peercred/' --test tests smtp_is_spoken
mutate 'what cannot be seen in an address' src/text/address.rs 's/c if is_unseen\(c\) =>/c if false \&\& is_unseen(c) =>/' --lib text
mutate 'what could not be read in an address' src/text/address.rs 's/char::REPLACEMENT_CHARACTER => \{/char::REPLACEMENT_CHARACTER if false => {/' --lib text
login=(--lib sasl::tests)
pop3=(--test tests transcripts::mail_is_fetched)
mutate 'the end of a negotiation after a challenge of SCRAM' src/sasl.rs 's/login\.is_challenged && !mechanism\.shows_password\(\)/false/' "${login[@]}"
mutate 'showing the password twice at most' src/sasl.rs 's/refused == Refused::Either && mechanism\.shows_password\(\)/false/' "${login[@]}"
mutate 'the order behind a mechanism that is known to work' src/sasl.rs 's/candidates\.drain\(\.\.at\);/candidates.rotate_left(at);/' "${login[@]}"
mutate 'the comparison of capabilities before a reply is believed' src/pop3/session/login.rs 's/LoginFlightReply::Capa\(offered\) if offered == \*expected =>/LoginFlightReply::Capa(_) if true =>/' "${pop3[@]}"
mutate 'the doubt in a refused listing behind a login' src/pop3/session/login.rs 's/return Err\(Error::SentAhead \{ pace, is_logged_in, error: error\.into\(\) \}\);/return Err(error);/' "${hostile[@]}"
mutate 'the memory of a pace that failed' src/fetch/server.rs 's/self\.profile\.failed\(\*pace, self\.job\.run_id\.seconds\);//' "${hostile[@]}"
mutate 'caution with a server that is met for the first time' src/pop3/profile.rs 's/map_or\(Pace::Pipelined, Pace::faster\)/map_or(Pace::BehindLogin, Pace::faster)/' "${pop3[@]}"
mutate 'PASS only behind an accepted USER' src/pop3/session/login.rs 's/if replies\.iter\(\)\.all\(Reply::is_ok\)/if true/' "${pop3[@]}"
mutate 'knowing messages without unique-ids by their texts' src/store/texts.rs 's/if text\.met >= known \|\| /if true || /' "${cut[@]}"
mutate 'how often a text was delivered' src/store/texts.rs 's/text\.met >= known \|\| //' "${pop3[@]}"
mutate 'telling texts by the fields that servers keep' src/store/delivery.rs 's/digests\.named \} else \{ digests\.whole \}/digests.named } else { digests.named }/' --lib store::tests
mutate 'what was delivered before, until it is delivered again' src/fetch.rs 's/all: job\.all,/all: false,/' "${pop3[@]}"
mutate 'what an earlier session of a run has missed' src/fetch/sorting.rs 's/!unmatched\.contains\(&uid\) && !uid\.is_some_and\(is_listed\)/false/' "${pop3[@]}"
mutate 'forgetting texts that are deleted' src/fetch/retrieval.rs 's/store\.forget_deleted_texts\(&nameless\)\?;//' "${pop3[@]}"
mutate 'what this run has fetched, with --all' src/fetch/plan.rs 's/!job\.all \|\| entry\.is_fresh\(\)/!job.all/' "${pop3[@]}"
mutate 'the damage that a hole over synced lines is' src/store/journal/replay.rs 's/\(self\.has_hole && self\.announced\.iter\(\)\.any\(is_it\)\)/(self.has_hole)/' --lib store::journal
mutate 'the refusal of a number that is listed twice' src/pop3/session/listing.rs 's/if !numbers\.add\(number\)/if !numbers.add(number) && false/' "${hostile[@]}"
mutate 'the refusal of a unique-id that is a secret' src/pop3/session.rs 's/self\.wire\.secrets\(\)\.are_in/false && self.wire.secrets().are_in/' "${hostile[@]}"
mutate 'one command at a time behind a lost login' src/fetch/server.rs 's/self\.most = Pace::OneByOne;/self.most = pace.slower().min(Pace::Pipelined);/' "${hostile[@]}"
mutate 'the proof that a pace was at fault' src/fetch/server.rs 's/self\.suspected = Some\(\*pace\);/self.profile.failed(*pace, self.job.run_id.seconds);/' "${hostile[@]}"
mutate 'that nothing depends on an answer to QUIT' src/fetch/retrieval.rs 's/if error\.is_ours\(\) =>/if true || error.is_ours() =>/' "${pop3[@]}"
mutate 'the reason of a refusal by a fallback' src/submission/outbox.rs 's/\.or_else\(\|\| refusals\.clone\(\)\.next_back\(\)\)//' --test tests fallback
mutate 'the order of what is queued' src/store/outbox.rs 's/\{fraction:04x\}\{:08x\}", random >> 32/{:08x}{fraction:04x}", random >> 32/' --test tests outbox::messages
mutate 'the blank beside an encoded word' src/message/encoded_words.rs 's/if is_behind_word && head\.is_empty\(\)/if false/' --lib message::
mutate 'the passing refusal of UIDL' src/pop3/session.rs 's/if !uids\.are_known && !self\.offered\.uidl =>/if true =>/' "${pop3[@]}"
mutate 'the bound of a reply that drips' src/net/deadline.rs 's/Wait::Reply => \(Some\(time_out\.saturating_mul\(REPLY\)\), time_out\)/Wait::Reply => (Some(Duration::MAX), time_out)/' --lib net::tests
mutate 'the rate of a text' src/net/deadline.rs 's/std::mem::take\(&mut self\.octets\) < due/false/' --lib net::tests
mutate 'the bound of what comes before a login' src/net.rs 's/opening: Some\(now\(\)\)/opening: None/' --lib net::tests

# What the fetch side does about servers, disks and programs that misbehave.
poison=(--lib fetch::tests::poison)
others=(--lib fetch::tests::others)
mutate 'three sessions that end in a message before it is skipped' src/store/breaks.rs 's/self\.count >= LASTING/self.count >= LASTING \/ 3/' "${poison[@]}"
mutate 'the place in a message where a session ended' src/store/breaks.rs 's/self\.octets\.abs_diff\(octets\) <= SAME_PLACE/true || self.octets.abs_diff(octets) <= SAME_PLACE/' "${poison[@]}"
mutate 'what came through between two sessions that ended in a message' src/store/seen.rs 's/self\.has_delivered \|\| self\.deliveries/true || self.has_delivered || self.deliveries/' "${poison[@]}"
mutate 'asking once a day for a message that the server cannot finish' src/store/breaks.rs 's/Some\(age\) if age < AGAIN/Some(age) if age < AGAIN || true/' "${poison[@]}"
mutate 'the end of asking after refusals that are alike' src/fetch/refusals.rs 's/self\.count >= limits::REFUSALS/false/' "${pop3[@]}"
mutate 'the last message, before refusals that are alike end a fetch' src/fetch/retrieval.rs 's/if let Some\(last\) = wanted\.pop_back_if\(\|_\| are_many\) \{/if are_many { break; }\n if let Some(last) = wanted.pop_back_if(|_| are_many) {/' "${pop3[@]}"
mutate 'the look for another person who listens' src/ownership/listener.rs 's/let is_person = row\.uid >= /let is_person = false \&\& row.uid >= /' --lib ownership::listener
mutate 'new/ opened before messages are moved into it' src/store/delivery.rs 's/let into = self\.open_dir\(&new\)\?;(.*?)(self\.sync_opened\(&\*into, &new\)\?;)/$1let into = self.open_dir(&new)?; $2/s' "${others[@]}"
mutate 'the sync of a directory that took the name of another' src/store/disk.rs 's/if dir\.is_at\(path\) \{ Ok/if true { Ok/' --lib store::tests
mutate 'the room on a disk that is left to others' src/store/disk.rs 's/self\.free < limits::KEPT_FREE/false \&\& self.free < limits::KEPT_FREE/' --lib store::tests
mutate 'the largest message where the user sets none' src/fetch.rs 's/map_or\(limits::MESSAGE, \|limit\|/map_or(u64::MAX, |limit|/' --lib fetch::tests::a_message_has
mutate 'the other session behind a text without an end' src/fetch.rs 's/if self\.overlong\.len\(\) >= limits::OVERLONG \{/if true {/' "${hostile[@]}"
mutate 'the bound of sessions behind texts without an end' src/fetch.rs 's/if self\.overlong\.len\(\) >= limits::OVERLONG \{/if false {/' --lib fetch::tests::a_message_has
mutate 'refusing to make a known Maildir anew' src/store.rs 's/if self\.journal\.seen\.knows_place\(root\) \{(\s+\/\/ It is not made)/if false {$1/' "${others[@]}"
mutate 'doing with a disk that cannot sync directories' src/store/disk.rs 's/Errno::INVAL \| Errno::NOTSUP \| Errno::NOSYS/Errno::NOSYS/' "${others[@]}"
mutate 'the error of a disk that fails to sync a directory' src/store/disk.rs 's/Some\(Errno::INVAL \| Errno::NOTSUP \| Errno::NOSYS\)/Some(_)/' "${others[@]}"
mutate 'the room in the journal before a program gets a message' src/store/delivery.rs 's/self\.journal\.reserve\(&intent, &place\)\?;//' --lib store::tests
mutate 'forgetting the numbers of the session before' src/fetch.rs 's/self\.deletable\.clear\(\);(\s+let listing)/$1/' "${hostile[@]}"
mutate 'leaving a message that came shorter than half its listed size' src/pop3/session/retrieval.rs 's/self\.size\.is_some_and\(\|size\| least < size\)/self.size.is_some_and(|size| least < size \&\& false)/' "${pop3[@]}"
mutate 'leaving a message that came short in later runs' src/pop3/session/retrieval.rs 's/self\.size\.filter\(\|_\| !self\.is_short\(\)\)/self.size/' "${pop3[@]}"
young=(--test tests a_run_that_finds_a_young_one)
mutate 'the silence about a young run at work' src/fetch/report.rs 's/if \*age < limits::LONG_RUN/if false \&\& *age < limits::LONG_RUN/' "${young[@]}"
mutate 'the word about an old run at work' src/fetch/report.rs 's/if \*age < limits::LONG_RUN/if true || *age < limits::LONG_RUN/' "${young[@]}"
mutate 'the mark that tells the files of two state directories apart' src/store.rs 's/let mark = maildir::fnv1a\(&drawn\);/let mark = 7;/' "${others[@]}"
mutate 'looking for announced files where readers put them' src/store/recovery.rs 's/self\.names\(&\[&new, &cur\]\)/self.names(\&[\&new])/' "${others[@]}"

# What `postie install` replaces and removes.
installed=(--test tests install::)
mutate 'the digest of a file that install removes' src/install.rs 's/Found::File\(digest\) if digests\.contains\(&digest\) =>/Found::File(_) =>/' "${installed[@]}"
mutate 'the record of a file that install replaces' src/install.rs 's/Found::File\(digest\) if record\.proves\(&piece\.path, &digest\) =>/Found::File(_) =>/' "${installed[@]}"
mutate 'the links that install does not follow' src/install/files.rs 's/match path\.symlink_metadata\(\)/match path.metadata()/' "${installed[@]}"
mutate 'whose the record of install is' src/install/files.rs 's/ownership::check_writers\(&file, path\)\s+\.map_err\(\|error\| failed\(io::Error::other\(error\.to_string\(\)\)\)\)\?;//' "${installed[@]}"
mutate 'the directories that install has made' src/install.rs 's/next\.add_directories\(&piece\.path\);//' "${installed[@]}"
mutate 'the files that install has no longer' src/install.rs 's/take\(path, digest, report\)\?;/let _ = (path, digest);/' "${installed[@]}"
mutate 'leaving what was only imported' src/store/seen.rs 's/else \{ return Standing::Unwanted \}/else { return Standing::Proven }/' --test tests import::after
mutate 'the error for an unknown word of another program' src/import/rc.rs 's/return Err\(source\.unknown\(number, word, tables\)\);/continue;/' --lib import::tests
mutate 'the file of its own for an imported password' src/import/account.rs 's/self\.password = Some\(Secret::new\(&\*setting\.value\)\);/self.key("password", setting.value.as_str());/' --test tests import::a_password
mutate 'hiding an imported secret in a comment' src/import/account.rs 's/let is_hidden = matches!\(self\.keyword\.becomes, Becomes::Password \| Becomes::Hidden\(_\)\)/let is_hidden = false/' --lib import::tests
mutate 'the error for a torn memory' src/import/memory.rs 's/_ => return Err\(source\.wrong\(last, "too few[^,]*,/_ => break,/' --lib import::memory
mutate 'the refusal of an account that is there' src/config/append.rs 's/names\.into_iter\(\)\.find\(\|name\| before/names.into_iter().find(|name| false \&\& before/' --lib config::append

# What is kept of a login, and how a person logs in.
token=(--lib token::)
mutate 'reading the tokens again under the lock' src/token.rs 's/if let Some\(access\) = self\.kept\(disk, refused, now\)\? \{\s+return Ok\(Some\(access\)\);\s+\}\s+(let living = living\(tokens)/$1/' "${token[@]}"
mutate 'the lock on a login' src/token.rs 's/let _lock = match lock \{(.*?)\n        \};/drop(match lock {$1\n        });/s' --test tests oauth::twenty_runs
mutate 'the durability of new tokens before one is used' src/token.rs 's/store\.write\(&tokens\)\?;(\s+Ok\(tokens\))/$1/' "${token[@]}"
mutate 'the sync of tokens' src/store/token.rs 's/file\.sync\(\)\.map_err\(failed\)\?;//' "${token[@]}"
mutate 'the sync of the name of tokens' src/store/token.rs 's/(self\.disk\.rename\(&new[^;]*\?;\s+)self\.disk\.sync_dir\(self\.dir\)\.map_err[^\n]*/$1Ok(())/' "${token[@]}"
mutate 'keeping the old tokens until the new ones are there' src/token.rs 's/(server\.connect\(&endpoint\)\?;.*?)store\.write\(&tokens\)\?;/$1store.forget()?;/s' "${token[@]}"
mutate 'the record of an answer that may be lost' src/token.rs 's/tokens\.unanswered = Some\(before\.unwrap_or\(server\.now\(\)\)\);\s+store\.write\(&tokens\)\?;//' "${token[@]}"
mutate 'the old refresh token where no new one comes' src/token.rs 's/granted\.refresh\.or\(refresh\)/granted.refresh.or(refresh.filter(|_| false))/' "${token[@]}"
mutate 'one renewal in a run after a refusal' src/token.rs 's/if refused\.is_some\(\) && !self/if false \&\& !self/' "${token[@]}"
mutate 'the end of a renewal before a first signal counts' src/token/remote.rs 's/self\.shelter = Some\(self\.run\.stop\.shelter\(\)\);//' --test tests oauth::a_first_signal
mutate 'the distrust of a token whose clock was set back' src/token.rs 's/\(left <= expires\.saturating_sub\(granted\)\)\.then_some\(left\)/Some(left)/' "${token[@]}"
mutate 'tokens for the endpoint that granted them' src/token.rs 's/endpoint\.is_some_and\(\|endpoint\| endpoint != tokens\.endpoint\)/endpoint.is_some_and(|_| false)/' "${token[@]}"
mutate 'tokens for the user who logged in' src/token.rs 's/tokens\.user != self\.user/false/' "${token[@]}"
mutate 'masking what an authorization server says back' src/token.rs 's/known\.add\(secret\.expose\(\)\);//' "${token[@]}"
mutate 'the end of a login before a first signal counts' src/token.rs 's/let _shelter = self\.server\.run\.stop\.shelter\(\);//' --test tests oauth::a_first_signal
mutate 'the refusal to follow with what holds secrets' src/token.rs 's/if response\.redirect\(endpoint\)/if false \&\& response.redirect(endpoint)/' --test tests oauth::each_refusal
mutate 'the check of who may read tokens' src/store/disk.rs 's/ownership::check_readers\(&file, path\)\?;//' "${token[@]}"
oauth=(--lib oauth)
mutate 'the state of a login in its answer' src/oauth/redirect.rs 's/if found\.as_deref\(\) != Some\(state\)/if false \&\& found.as_deref() != Some(state)/' "${oauth[@]}"
mutate 'the issuer in the answer to a login' src/oauth/redirect.rs 's/_ => return Err\(Unexpected::Issuer\),/_ => {}/' "${oauth[@]}"
mutate 'the place of the answer to a login' src/oauth/redirect.rs 's/if path != redirect\.path/if false \&\& path != redirect.path/' "${oauth[@]}"
mutate 'one value for each field of an answer' src/oauth/redirect.rs 's/if place\.replace\(decoded\(value\)\)\.is_some\(\)/if place.replace(decoded(value)).is_some() \&\& false/' "${oauth[@]}"
mutate 'the machine of an address that is pasted' src/oauth/redirect.rs 's/(host\.map_or\(authority, \|\(host, _\)\| host\) != redirect\.host)/false \&\& $1/' "${oauth[@]}"
mutate 'the proof that the program asked for a code' src/oauth.rs 's/\s+\.with\("code_verifier", proof\.verifier\.expose\(\)\)//' --test tests oauth::a_login_takes
mutate 'the terminal for a login' src/login.rs 's/if !io::stdin\(\)/if false \&\& !io::stdin()/' --test tests oauth::without_a_login

# What `postie setup` believes.
mutate 'https for an address of the web' src/text/url.rs 's/if !scheme/if false \&\& !scheme/' --lib -- text::url http::
mutate 'the count of redirects' src/http.rs 's/0\.\.=limits::HTTP_REDIRECTS \{/0..=99 {/' --lib http::
mutate 'the host that metadata is asked for at' src/http.rs 's/if redirects == Redirects::SameHost/if false/' --lib http::
mutate 'the number of a DNS answer' src/dns.rs 's/if octets\.get\(\.\.2\) !=/if false \&\& octets.get(..2) !=/' --lib dns::
mutate 'the question of a DNS answer' src/dns.rs 's/\|\| !is_echoed/|| (false \&\& !is_echoed)/' --lib dns::
mutate 'the difference of a DNS answer from a question' src/dns.rs 's/if !packet\.has_flags\(PacketFlag::RESPONSE\) \|\|/if/' --lib dns::
mutate 'passing over an answer to another question' src/discovery.rs 's/Err\(dns::Error::Another\) => None,/Err(dns::Error::Another) if false => None,/' --lib discovery::
mutate 'the difference between no answer and no servers' src/discovery.rs 's/\(None, Some\(error\)\) => Err\(error\),//' --test tests setup::silent
mutate 'accepting a server elsewhere before it is written' src/setup.rs 's/if \*write && !strangers/if false \&\& !strangers/' --test tests setup::a_server_elsewhere
mutate 'accepting a server elsewhere before it is asked' src/setup.rs 's/if \*offline \|\| !strangers\.is_empty\(\)/if *offline/' --test tests setup::a_server_elsewhere
mutate 'accepting a server elsewhere before its lines count' src/setup.rs 's/if strangers\.is_empty\(\) \{ block \} else/if true { block } else/' --test tests setup::a_server_elsewhere
mutate 'accepting a server elsewhere before a password is shown' src/check.rs 's/if !strangers\.is_empty\(\)/if false/' --test tests setup::an_address
mutate 'the key of a pinned certificate of version 1' src/tls/verify.rs 's/if is_valid \{/if true {/' --test tests check::a_certificate_of_version_1

# The program of `connect-command`.
mutate 'the end of connect-command with its connection' src/program.rs 's/drop\(self\.end\(\)\);//' --test tests relays::a_program_that_hangs
mutate 'the refusal of plaintext to connect-command' src/settings.rs 's/table\.connect_command\.is_some\(\) && tls == Tls::None/false/' --test tests relays::plaintext
mutate 'the equality of a trusted certificate with that of ca-file' src/tls/verify.rs 's/own\.iter\(\)\.any\(\|own\| own == certificate\)/!own.is_empty()/' --test tests logins::the_very
# Few messages at first, few accounts at one host, and what a server may know already.
mutate 'the small first flight to a new server' src/pop3/window.rs 's/first: limits::RETR_WINDOW, most: limits::POP3_WINDOW/first: limits::POP3_WINDOW, most: limits::POP3_WINDOW/' --test tests transcripts::a_server_that_refuses
mutate 'the memory of a server that refuses all' src/pop3/profile.rs 's/Some\(time\) if is_remembered\(time, now\) => Retrs::FEW,//' --lib pop3::profile
mutate 'the bound of what is in flight in octets' src/pop3/window.rs 's/\(!is_heavy \|\| in_flight < limits::RETR_WINDOW\)/true/' --lib pop3::window
mutate 'asking for no more behind a refusal' src/pop3/window.rs 's/_ if self\.refusals\.get\(\) > 0 => false,//' --lib pop3::window
mutate 'the most accounts at one host' src/fetch.rs 's/unwrap_or\(limits::AT_ONE_HOST\)/unwrap_or(limits::ACCOUNTS)/' --test tests many_accounts::at_one_host
mutate 'asking once only for a login that is refused for now' src/pop3.rs 's/=> refusal\.speaks_of_connections\(\)/=> refusal.is_temporary()/' --test tests many_accounts::a_login
mutate 'a limit of connections that a login is answered' src/pop3.rs 's/=> refusal\.speaks_of_connections\(\)/=> false/' --test tests many_accounts::what_a_server
mutate 'another turn for an account that was turned away' src/fetch.rs 's/run\.was_turned_away\(&outcome\) && turn\.is_one_too_many\(\)/false/' --test tests many_accounts::what_a_server
mutate 'the mask from the greeting on' src/wire.rs 's/secrets\.into_iter\(\)\.for_each\(\|secret\| this\.secrets\.add\(secret\)\);/let _ = secrets;/' --test tests untrusted_text
mutate 'the mask of capabilities' src/pop3/session.rs 's/offered\.add\(&secrets\.mask\(line\)\);/let _ = \&secrets; offered.add(line);/' --test tests untrusted_text
mutate 'the refusal of a file that is too large' src/bounded.rs 's/limit\.saturating_add\(1\)/limit/' --lib bounded
mutate 'the refusal of a password on an endless line' src/program.rs 's/length >= limits::SECRET\) \{(\s+return Err\(bounded)/length == u64::MAX) {$1/' --test tests config::a_password
mutate 'the syntax of names of mechanisms' src/pop3/reply.rs 's/words\.filter\(is_name\)/words/' --test tests untrusted_text
mutate 'the name of a message without a unique-id' src/fetch.rs 's/listed\.uid\.as_ref\(\)\.or_else\(\|\| self\.names\.get\(&listed\.number\)\)/listed.uid.as_ref()/' --test tests transcripts::mail_is_fetched
# The submission service.
frame=(--lib submit_frame::)
callers=(--lib store::callers)
service=(--test tests submission_service::)
mutate 'the order of a frame for the submission service' src/submit_frame.rs 's/if place < last \|\| /if /' "${frame[@]}"
mutate 'the users who may send by the submission service' src/settings/permissions.rs 's/if !is_restricted \|\| /if true || !is_restricted || /' --lib settings::permissions
mutate 'the rate after the clock was set back' src/store/callers.rs 's/\|time: u64\| time\.min\(now\)/|time: u64| time/; s/now - time < HOUR/now.saturating_sub(*time) < HOUR/' "${callers[@]}"
mutate 'the lock on the times of a user of the submission service' src/store/callers.rs 's/let _lock = self\.lock\(([^;]*)\)\?;/let _ = self.lock($1)?;/' "${callers[@]}"
mutate 'the places of one user of the submission service' src/limits.rs 's/SUBMIT_PLACES_OF_USER: usize = 4/SUBMIT_PLACES_OF_USER: usize = 32/' "${callers[@]}"
mutate 'the caller on a UNIX socket only' src/ownership/caller.rs 's/!\(is_unix && is_stream && is_connected\)/!is_unix/' --lib ownership::caller
mutate 'the end mark of a frame for the submission service' src/submit_frame.rs 's/if line == END \{ Ok\(\(\)\) \}/if line == END || true { Ok(()) }/' "${service[@]}whatever"
mutate 'the doubt of a caller of the submission service' src/send/service.rs 's/failed\(HandInError::InDoubt\(error\)\)/failed(HandInError::NotTaken(error))/' "${service[@]}a_caller"
mutate 'the status of the submission service, printed or not' src/send/service.rs 's/if let Err\(error\) = result \{/if let Err(error) = result {\n return fail(report, None, \&error);/' "${service[@]}a_caller"
mutate 'the recipients that an account allows' src/submission.rs 's/job\.permissions\.check_recipients\(envelope\.recipients\(\)\)\?;//' "${service[@]}the_bounds"
mutate 'what is wrong with the submission service being for its log' src/submit_server.rs 's/if exit != Exit::Config \{/if true || exit != Exit::Config {/' "${service[@]}a_"
mutate 'the check of the directory of a socket' src/connect/service.rs 's/ownership::check_socket\(&job\.socket\)\?;//' "${service[@]}without"
mutate 'the removal of Bcc by the submission service' src/submit_server.rs 's/message\.remove_bcc\(\);//' "${service[@]}whatever"
mutate 'a socket that another program listens at' src/submit_server/listen.rs 's/if is_listening\(path\)\.map_err\(failed\)\? \{/if false \&\& is_listening(path).map_err(failed)? {/' "${service[@]}a_socket"
mutate 'the rate of a user of the submission service' src/submit_server.rs 's/rate::count\(&submission\.job, caller, callers\)\?;/let _ = callers;/' "${service[@]}no_user"
mutate 'the look of a check at the submission service' src/steps.rs 's/connect::service::connect\(job\)\.at\("service"\)\?;//' "${service[@]}a_check"
mutate 'the rate of a user with a fallback' src/submission/fallback.rs 's/rate::count\(job, caller, callers\)\.err\(\)/rate::count(job, caller, callers).err().filter(|_| false)/' "${service[@]}a_message_counts"
mutate 'the reason in the log of the submission service' src/submission/first_attempt.rs 's/self\.queued_as\(\)\.filter\([^;]*\);/self.queued_as();/' "${service[@]}the_log_says"
mutate 'the users who may send by a fallback' src/submit_server.rs 's/fallback\.filter\(\|fallback\| is_allowed/fallback.filter(|fallback| true || is_allowed/' "${service[@]}a_fallback"
mutate 'the recipients that a fallback allows' src/submission.rs 's/take\(\)\.filter\(\|fallback\| is_allowed/take().filter(|fallback| true || is_allowed/' "${service[@]}a_fallback"
mutate 'the users for whom alone a fallback is, for what waits' src/submission/outbox.rs 's/is_for_all && permissions/(true || is_for_all) \&\& permissions/' "${service[@]}a_fallback"
mutate 'the groups for which alone a fallback is, for what waits' src/submission/outbox.rs 's/ && permissions\.groups\.is_none\(\)//' "${service[@]}a_fallback"
mutate 'the recipients that a fallback allows, for what waits' src/submission/outbox.rs 's/is_for_all && permissions\.check_recipients\(envelope\.recipients\(\)\)\.is_ok\(\)/is_for_all/' "${service[@]}a_fallback"
mutate 'the message of a caller whose words speak of the queue' src/cli/sendmail.rs 's/if is_for_message && let/if false \&\& is_for_message \&\& let/' --lib cli::sendmail
mutate 'the rules for what waits' src/queue.rs 's/job\.and_then\(\|job\| Ok\(job\.permissions\.check_recipients\(&record\.waiting\(\)\)\?\)\)\.err\(\)/job.err()/' --test tests outbox::what_waits_is_held
mutate 'the distrust of a unique-id that several messages have' src/store/journal.rs 's/self\.append_durably\("reused\\n"\)/Ok(())/' --test tests transcripts::mail_is_fetched
mutate 'reading on behind a 421 for a recipient' src/smtp/session/transaction.rs 's/ \|\| \(is_farewell && asked\.borrow\(\)\.contains\(&BDAT\)\)//' --test tests transcripts::mail_is_submitted
mutate 'waiting for a server that does not know BDAT' src/smtp/session/transaction.rs 's/if self\.is_chunk_unknown \{ Subject::Bdat \}/if false { Subject::Bdat }/' --test tests outbox::a_message_is_not_lost_where
mutate 'the room to hand in while messages are sent' src/submit_server.rs 's/\(!submission\.job\.queue\)\.then_some\(place\)/Some(place)/' --test tests submission_service::a_server_that_stalls
exit "$missed"
}
