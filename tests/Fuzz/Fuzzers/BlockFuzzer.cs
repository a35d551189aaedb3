using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>
/// A client and a server of a disk, both hostile: block headers, ranges, announcements, replies and tags that are right and
/// wrong, in chains that are; epochs that begin at any moment (docs/block-serving.md; VIRTIO 1.2, 5.2.6). The model must ask the
/// server the same, end the same requests with the same bytes, and blame the same side for the same.
/// </summary>
public sealed class BlockFuzzer(Sabotage sabotage = Sabotage.None) : IFuzzer
{
    internal const string FuzzerName = "blocks";
    private const int MaxRounds = 24;

    private readonly Arena _client = new(96 << 10);
    private readonly Arena _requests = new(96 << 10);
    private readonly Arena _replies = new(96 << 10);

    // Its thread does not run: turns are the fuzzer's.
    private readonly EventLoop _loop = new(0);

    private Sabotage Sabotage { get; } = sabotage;

    /// <inheritdoc/>
    public string Name => FuzzerName;

    /// <inheritdoc/>
    public void Run(Input input, Tally tally)
    {
        using var session = new Life(this, input);
        session.Live(tally);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _loop.Dispose();
        _client.Dispose();
        _requests.Dispose();
        _replies.Dispose();
    }

    private sealed class Life : IDisposable
    {
        private readonly BlockFuzzer _fuzzer;
        private readonly Input _input;
        private readonly BlockClientGuest _client;
        private readonly BlockRequestsGuest _requests;
        private readonly BlockRepliesGuest _replies;
        private readonly ServerSession _session;
        private readonly BlockClient _blockClient;
        private readonly RequestJoin _requestJoin;
        private readonly ReplyJoin _replyJoin;
        private readonly ReferenceBlock _model;

        public Life(BlockFuzzer fuzzer, Input input)
        {
            (_fuzzer, _input) = (fuzzer, input);
            _client = new BlockClientGuest(fuzzer._client, input);
            _requests = new BlockRequestsGuest(fuzzer._requests, input);
            _replies = new BlockRepliesGuest(fuzzer._replies, input);
            bool durable = input.Chance(50);
            // What tags hold is the input's: hostile replies are of them.
            _session = new ServerSession(new BlockCounters(), input.U32());
            _blockClient = new BlockClient(new BlockCounters())
            {
                Id = input.U16(),
                IsInUse = fuzzer.Sabotage != Sabotage.DiskMayChange, WritesThrough = durable && fuzzer.Sabotage != Sabotage.NotDurable,
            };
            _requestJoin = new RequestJoin(_blockClient.QueueOf(0, _client.Size), _client.End, enabled: true, _requests.End, _session, fuzzer._loop);
            _replyJoin = new ReplyJoin(_requests.End, _replies.End, _session, fuzzer._loop);
            _model = new ReferenceBlock(_client.Model, _requests.Model, _replies.Model, _blockClient.Id, durable) { Epoch = _session.Epoch };
        }

        public void Live(Tally tally)
        {
            for (int round = 0; round < MaxRounds && !_input.IsEmpty; round++)
            {
                _client.Act(_model);
                _requests.Act();
                _replies.Act(_model);
                if (_input.Chance(4))
                    Restart(tally);
                Activate();
                bool goesOn = true;
                while (goesOn && (_model.RequestsActive || _model.RepliesActive))
                    goesOn = Turn(_requestJoin, _model.RequestsActive, _model.TurnRequests) && Turn(_replyJoin, _model.RepliesActive, _model.TurnReplies);
                Compare();
                tally.Saw("round", (_model.IsReady ? 1 : 0) + (goesOn ? 2 : 0), Tally.Class((ulong)_model.Done), Tally.Class((ulong)_model.WithServer.Count()));
                if (!goesOn)
                {
                    tally.Count("broken rings");
                    break;
                }
            }
            Report(tally);
        }

        public void Dispose()
        {
            _requestJoin.Dispose();
            _replyJoin.Dispose();
            foreach (var queue in _blockClient.Queues)
                queue.Dispose();
            _client.Dispose();
            _requests.Dispose();
            _replies.Dispose();
        }

        private void Restart(Tally tally)
        {
            _session.Restart();
            _model.Restart(_session.Epoch);
            tally.Count("epochs");
        }

        private void Activate()
        {
            _fuzzer._loop.Activate(_requestJoin);
            _fuzzer._loop.Activate(_replyJoin);
            _model.Activate();
        }

        /// <summary>A whole turn of a join, and of the model.</summary>
        /// <returns>Whether all rings are well.</returns>
        private bool Turn(SteppedJoin join, bool active, Func<ReferenceEnd?> model)
        {
            FuzzException.UnlessEqual(active, join.Active, $"whether the turn of {join.GetType().Name} has come");
            if (!active)
                return true;
            var expected = model();
            var result = join.Turn(int.MaxValue, out _);
            if (result == TurnResult.Idle && join.TrySleep())
                result = TurnResult.Sleep;
            join.Active = false;
            FuzzException.UnlessEqual(expected == null ? TurnResult.Sleep : TurnResult.Fault, result, $"how the turn of {join.GetType().Name} ended");
            _fuzzer._client.Check("a turn, in the client's memory");
            _fuzzer._requests.Check("a turn, in the server's memory for requests");
            _fuzzer._replies.Check("a turn, in the server's memory for replies");
            return expected == null;
        }

        private void Compare()
        {
            FuzzException.UnlessEqual(_model.IsReady, _session.IsReady, "whether the server is ready");
            FuzzException.UnlessEqual(Text(_model.ClientFaults.Select(f => (f.Key, f.Value))), Text(_blockClient.Counters.Faults), "what the client did wrong");
            FuzzException.UnlessEqual(Text(_model.ServerFaults.Select(f => (f.Key, f.Value))), Text(_session.Counters.Faults), "what the server did wrong");
            FuzzException.UnlessEqual(_model.Done, _blockClient.Counters.Reads + _blockClient.Counters.Writes, "requests done");
            FuzzException.UnlessEqual(_model.Failed, _blockClient.Counters.Errors, "requests that failed");
            foreach (BlockGuest guest in new BlockGuest[] { _client, _requests, _replies })
                FuzzException.UnlessEqual(guest.Model.Faults, guest.Counters.Faults.Where(f => f.Fault != QueueFault.EmptyDescriptor).Sum(f => f.Count), $"faults of {guest.GetType().Name}");
        }

        private void Report(Tally tally)
        {
            tally.Count("requests done", _model.Done);
            tally.Count("requests failed", _model.Failed);
            foreach (var (fault, times) in _model.ClientFaults)
                tally.Count($"client: {fault}", times);
            foreach (var (fault, times) in _model.ServerFaults)
                tally.Count($"server: {fault}", times);
            foreach (var fault in _model.ClientFaults.Keys.Concat(_model.ServerFaults.Keys))
                tally.Saw("fault", (int)fault);
        }

        private static string Text(IEnumerable<(BlockFault Fault, long Count)> faults) =>
            string.Join(", ", faults.Where(f => f.Count > 0).OrderBy(f => f.Fault).Select(f => $"{f.Fault} {f.Count}"));
    }
}
