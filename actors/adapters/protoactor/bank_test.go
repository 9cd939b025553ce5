package protoactor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/adapters/protoactor"
)

const (
	accounts = 40
	// The variables that make the test binary a child: the folder of the bank, and the seed of its payments.
	bankDirVariable  = "MILLRACE_BANK_DIR"
	bankSeedVariable = "MILLRACE_BANK_SEED"
)

// ledger is what is known of an account from outside.
type ledger struct {
	paid    int64 // and acknowledged
	waiting int64 // of a payment that was not acknowledged when the bank was killed
}

// TestABankThatIsKilled kills a bank of account actors again and again while each has payments, and compares all balances
// with what was acknowledged: what was not may have happened, and is whole then.
func TestABankThatIsKilled(t *testing.T) {
	kills := 50
	if testing.Short() {
		kills = 8
	}
	dir, random := t.TempDir(), rand.New(rand.NewSource(1))
	ledgers := make([]ledger, accounts)
	acknowledged, happened := 0, 0
	for kill := range kills {
		count := random.Intn(600)
		if kill%5 == 4 {
			count = 0 // while it opens
		}
		done, err := killBank(dir, int64(kill), count, ledgers)
		require.NoError(t, err, "kill %d", kill)
		acknowledged += done
		var sum, paid int64
		for i, balance := range balances(t, dir) {
			l := &ledgers[i]
			if balance == l.paid+l.waiting && l.waiting != 0 {
				happened++
				l.paid += l.waiting
			}
			l.waiting = 0
			require.Equal(t, l.paid, balance, "kill %d, account %d", kill, i)
			sum, paid = sum+balance, paid+l.paid
		}
		require.Equal(t, paid, sum)
	}
	t.Logf("%d kills, %d payments acknowledged, and %d that happened and were not", kills, acknowledged, happened)
}

// bank is an open bank.
type bank struct {
	system   *actor.ActorSystem
	store    *actors.Store
	accounts []*actor.PID
}

// openBank opens the bank of a folder, with all accounts recovered.
func openBank(ctx context.Context, dir string) (*bank, error) {
	b := &bank{system: quiet()}
	store, err := actors.Open(ctx, b.system, actors.Config{Dir: dir, Name: "BANK", BlockSize: 32 << 10})
	if err != nil {
		return nil, err
	}
	b.store = store
	provider, err := protoactor.New(store, protoactor.Config{SnapshotInterval: 20, DeleteEvents: true})
	if err != nil {
		return nil, err
	}
	for i := range accounts {
		pid, err := b.system.Root.SpawnNamed(newAccount(provider), fmt.Sprintf("account-%d", i))
		if err != nil {
			return nil, err
		}
		b.accounts = append(b.accounts, pid)
	}
	return b, nil
}

// pay pays, and returns the balance.
func (b *bank) pay(account int, amount int64) (int64, error) {
	reply, err := b.system.Root.RequestFuture(b.accounts[account], &pay{amount}, time.Minute).Result()
	if err != nil {
		return 0, err
	}
	if balance, ok := reply.(uint64); ok {
		return int64(balance), nil
	}
	return 0, errors.New(reply.(string))
}

// close ends the accounts and the stream.
func (b *bank) close(ctx context.Context) error {
	var err error
	for _, pid := range b.accounts {
		err = errors.Join(err, b.system.Root.PoisonFuture(pid).Wait())
	}
	err = errors.Join(err, b.store.Stop(ctx))
	b.system.Shutdown()
	return err
}

// balances opens the bank, and asks all accounts.
func balances(t *testing.T, dir string) (all []int64) {
	t.Helper()
	b, err := openBank(t.Context(), dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.close(t.Context())) }()
	for i := range b.accounts {
		balance, err := b.pay(i, 0)
		require.NoError(t, err)
		all = append(all, balance)
	}
	return all
}

// killBank runs a bank until it has acknowledged so many payments, and kills it. It writes down what was acknowledged and
// what was not.
func killBank(dir string, seed int64, count int, ledgers []ledger) (done int, err error) {
	reports, child, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer func() { _ = reports.Close() }()
	command := exec.Command(os.Args[0], "-test.run=^TestBankChild$")
	command.Env = append(os.Environ(), bankDirVariable+"="+dir, fmt.Sprintf("%s=%d", bankSeedVariable, seed))
	command.Stdout, command.Stderr = child, os.Stderr
	if err := command.Start(); err != nil {
		return 0, errors.Join(err, child.Close())
	}
	if err := child.Close(); err != nil { // the pipe ends with the child
		return 0, err
	}
	killed := false
	for lines := bufio.NewReader(reports); ; {
		if done >= count && !killed {
			killed = true
			if err := command.Process.Kill(); err != nil {
				return done, err
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			waited := command.Wait()
			if !killed || !errors.Is(err, io.EOF) {
				return done, fmt.Errorf("the bank ended by itself: %v, %v", waited, err)
			}
			return done, nil
		}
		var what string
		var account int
		var amount int64
		if _, err := fmt.Sscan(line, &what, &account, &amount); err != nil {
			return done, fmt.Errorf("a report of the bank: %q: %w", line, err)
		}
		l := &ledgers[account]
		switch what {
		case "pays":
			l.waiting = amount
		case "paid":
			l.paid += amount
			l.waiting = 0
			done++
		}
	}
}

// TestBankChild is what a child does: it has a client for each account, which pays and reports until the child is killed.
// Without the environment it does nothing.
func TestBankChild(t *testing.T) {
	dir := os.Getenv(bankDirVariable)
	if dir == "" {
		return
	}
	var seed int64
	_, err := fmt.Sscan(os.Getenv(bankSeedVariable), &seed)
	require.NoError(t, err)
	b, err := openBank(t.Context(), dir)
	require.NoError(t, err)
	var clients sync.WaitGroup
	for i := range accounts {
		clients.Go(func() {
			for random := rand.New(rand.NewSource(seed*accounts + int64(i))); ; {
				if err := payAndReport(b, i, random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
}

// payAndReport has one payment, and reports it before and after. Payments out of what is not there change nothing.
func payAndReport(b *bank, account int, random *rand.Rand) error {
	amount := 1 + random.Int63n(1000)
	if random.Intn(3) == 0 {
		amount = -amount
	}
	report := func(what string, amount int64) error {
		_, err := os.Stdout.WriteString(fmt.Sprintln(what, account, amount))
		return err
	}
	if err := report("pays", amount); err != nil {
		return err
	}
	switch _, err := b.pay(account, amount); {
	case err == nil:
		return report("paid", amount)
	case err.Error() == errOverdrawn:
		return report("paid", 0)
	default:
		return err
	}
}
