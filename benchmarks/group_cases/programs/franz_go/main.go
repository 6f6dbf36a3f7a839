// A member of a group by franz-go: classic, consumer and share.
// Arguments and lines are those of say.py and lines.py.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func say(kind string, words ...any) {
	line := fmt.Sprintf("%d %s", time.Now().UnixMicro(), kind)
	for _, word := range words {
		line += " " + fmt.Sprint(word)
	}
	os.Stdout.WriteString(line + "\n")
}

type owned struct {
	lock  sync.Mutex
	now   []int32
	topic string
}

func (o *owned) change(client *kgo.Client, gained, lost []int32) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.now = slices.DeleteFunc(o.now, func(p int32) bool { return slices.Contains(lost, p) })
	o.now = append(o.now, gained...)
	slices.Sort(o.now)
	o.now = slices.Compact(o.now)
	words := "-"
	if len(o.now) > 0 {
		words = strings.Trim(strings.Join(strings.Fields(fmt.Sprint(o.now)), ","), "[]")
	}
	_, generation := client.GroupMetadata()
	say("owns", generation, words)
}

func main() {
	bootstrap, topic, group := os.Args[1], os.Args[2], os.Args[3]
	protocol, byHand := os.Args[4], os.Args[5] == "hand"
	sessionMs, _ := strconv.Atoi(os.Args[6])
	stop, end := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer end()
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.ConsumeTopics(topic),
	}
	if protocol == "share" {
		options = append(options, kgo.ShareGroup(group), kgo.ShareAckCallback(refused.note))
	} else {
		has := &owned{topic: topic}
		lost := func(_ context.Context, client *kgo.Client, which map[string][]int32) {
			has.change(client, nil, which[topic])
		}
		options = append(options,
			kgo.ConsumerGroup(group),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.OnPartitionsAssigned(func(_ context.Context, client *kgo.Client, which map[string][]int32) {
				has.change(client, which[topic], nil)
			}),
			kgo.OnPartitionsLost(lost),
		)
		revoked := lost
		if byHand {
			options = append(options, kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll())
		} else {
			// A callback of one's own replaces the default, which commits.
			revoked = func(ctx context.Context, client *kgo.Client, which map[string][]int32) {
				if err := client.CommitUncommittedOffsets(ctx); err != nil {
					say("note", err)
				}
				lost(ctx, client, which)
			}
		}
		options = append(options, kgo.OnPartitionsRevoked(revoked))
		if protocol == "consumer" {
			options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
		} else if sessionMs > 0 {
			options = append(options, kgo.SessionTimeout(time.Duration(sessionMs)*time.Millisecond))
		}
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		say("note", err)
		os.Exit(1)
	}
	for stop.Err() == nil {
		fetches := client.PollFetches(stop)
		fetches.EachError(func(_ string, _ int32, err error) { say("note", err) })
		records := fetches.Records()
		for _, record := range records {
			if protocol == "share" {
				say("got", record.Partition, record.Offset, record.DeliveryCount(), string(record.Value))
				record.Ack(kgo.AckAccept)
			} else {
				say("read", record.Partition, record.Offset, string(record.Value))
			}
		}
		if protocol == "share" && len(records) > 0 {
			acknowledge(client, records)
		} else if byHand && len(records) > 0 {
			commit(client, records)
		}
		if byHand && protocol != "share" {
			client.AllowRebalance()
		}
	}
	if byHand && protocol != "share" {
		client.AllowRebalance()
	}
	client.Close()
}

// The partitions whose acknowledgements a broker refused since the last flush.
type refusals struct {
	lock       sync.Mutex
	partitions map[int32]bool
}

var refused = &refusals{partitions: map[int32]bool{}}

func (r *refusals) note(_ *kgo.Client, results kgo.ShareAckResults) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, result := range results {
		if result.Err != nil {
			say("note", result.Partition, result.Err)
			r.partitions[result.Partition] = true
		}
	}
}

// The client does not show which offsets a result is of, so every poll is flushed, by hand or not.
func acknowledge(client *kgo.Client, records []*kgo.Record) {
	ctx, end := context.WithTimeout(context.Background(), 20*time.Second)
	defer end()
	if err := client.FlushAcks(ctx); err != nil {
		say("note", err)
		return
	}
	refused.lock.Lock()
	defer refused.lock.Unlock()
	for _, record := range records {
		if !refused.partitions[record.Partition] {
			say("acked", record.Partition, record.Offset)
		}
	}
	clear(refused.partitions)
}

func commit(client *kgo.Client, records []*kgo.Record) {
	next := map[int32]int64{}
	for _, record := range records {
		next[record.Partition] = record.Offset + 1
	}
	for partition, offset := range next {
		say("commit", partition, offset)
	}
	ctx, end := context.WithTimeout(context.Background(), 20*time.Second)
	defer end()
	if err := client.CommitRecords(ctx, records...); err != nil {
		say("note", err)
		return
	}
	for partition, offset := range next {
		say("committed", partition, offset)
	}
}
