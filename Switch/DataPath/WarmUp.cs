using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// Moves frames between guests made for it, for as long as the runtime takes to see which code is hot and to compile it
/// again: the first guest should not have to wait for that.
/// </summary>
internal static class WarmUp
{
    private const int Rounds = 150;
    private const ulong Split = Features.Version1 | Features.NetMergeableBuffers, Packed = Split | Features.RingPacked;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(4);

    /// <summary>Runs in a thread of its own, with pauses, until it is done or told to end.</summary>
    /// <param name="failed">Told why it could not: the switch does without.</param>
    /// <param name="cancel">Tells it to end.</param>
    public static void Begin(Action<Exception> failed, CancellationToken cancel)
    {
        void RunGuarded()
        {
            try
            {
                Run(cancel);
            }
#pragma warning disable CA1031 // what nobody catches in a thread ends the process
            catch (Exception e)
#pragma warning restore CA1031
            {
                failed(e);
            }
        }
        new Thread(RunGuarded) { Name = "warm-up", IsBackground = true, Priority = ThreadPriority.BelowNormal }.Start();
    }

    internal static void Run(CancellationToken cancel)
    {
        // A loop of its own, so that no guest shares it.
        using var loop = new EventLoop(-1, TimeSpan.FromMilliseconds(1));
        Wire[] wires = [new(Split, Split), new(Packed, Packed), new(Split, Packed), new(Packed, Split)];
        loop.Start();
        foreach (var wire in wires)
            loop.Invoke(() => loop.Add(wire.Join));
        for (int round = 0; round < Rounds && !cancel.IsCancellationRequested; round++)
        {
            foreach (var wire in wires)
                wire.Feed();
            Thread.Sleep(_pause);
        }
        foreach (var wire in wires)
        {
            loop.Invoke(() => loop.Remove(wire.Join));
            wire.Dispose();
        }
    }

    /// <summary>A guest that sends, one that receives, and the join of the two.</summary>
    private sealed class Wire : IDisposable
    {
        private readonly Guest _sender, _receiver;

        internal Wire(ulong sender, ulong receiver)
        {
            (_sender, _receiver) = (new Guest(sender), new Guest(receiver));
            Join = new NetJoin(_sender.End, _receiver.End, TimeSpan.FromSeconds(60), new TrafficCounters());
        }

        internal NetJoin Join { get; }

        public void Dispose()
        {
            _sender.Dispose();
            _receiver.Dispose();
        }

        /// <summary>Gives the sender frames to send and the receiver buffers, as many as there is room for.</summary>
        internal void Feed()
        {
            _receiver.Fill(receives: true);
            _sender.Fill(receives: false);
        }
    }

    /// <summary>A queue in memory of its own.</summary>
    private sealed class Guest : IDisposable
    {
        private const int Size = 256;
        private const uint BufferBytes = 2048;

        private readonly DriverMemory _memory = new(1 << 20, 1 << 30);
        private readonly DriverQueue _queue;
        private readonly ulong _buffers;
        private uint _sent;

        internal Guest(ulong features)
        {
            _queue = DriverQueue.Create(_memory, Size, features);
            _buffers = _memory.Allocate(Size * BufferBytes, 64);
            var mapped = GuestMemory.Empty.TryAdd(_memory.Layout, _memory.File, out string why) ?? throw new InvalidOperationException(why);
            var device = DeviceQueue.TryCreate(mapped, _queue.Layout, Size, features, _queue.InitialState, out why) ?? throw new InvalidOperationException(why);
            mapped.Release(); // the queue holds it
            End = new QueueEnd(device, features, kick: null, call: null, new QueueCounters());
        }

        internal QueueEnd End { get; }

        public void Dispose()
        {
            End.Dispose();
            _memory.Dispose();
        }

        internal void Fill(bool receives)
        {
            while (_queue.TryGetUsed(out _, out _))
            {
            }
            // Of every eight frames one is long, and one in two pieces.
            for (bool more = true; more; _sent++)
            {
                ulong at = _buffers + _sent % Size * BufferBytes;
                more = receives ? _queue.TryAdd([], [new(at, BufferBytes)], 0)
                    : (_sent % 8) switch
                    {
                        0 => _queue.TryAdd([new(at, NetHeader.Bytes), new(at + 64, 1500)], [], 0),
                        1 => _queue.TryAdd([new(at, BufferBytes), new(at, BufferBytes)], [], 0),
                        _ => _queue.TryAdd([new(at, 80)], [], 0),
                    };
            }
            _queue.Publish();
        }
    }
}
