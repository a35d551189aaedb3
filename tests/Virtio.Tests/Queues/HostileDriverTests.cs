using System.Diagnostics;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>
/// A guest rewrites its descriptors and rings while the device walks and copies. It can hurt itself only: not the process,
/// not the memory around its regions, and of another guest no byte but those that it offered.
/// </summary>
public sealed class HostileDriverTests : IDisposable
{
    private const int Size = 64, TableEntries = 64;
    private const byte Canary = 0xc7;

    // The guest's two regions begin and end within pages, so that there are mapped bytes around them that are not its.
    private const ulong FileBytes = 0x4_0000, Guest = 0x10_0000, First = 0x1040, FirstBytes = 0x1_8f80, Second = 0x2_0140, SecondBytes = 0x1_0e80;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(1.2);

    private readonly DriverMemory _file = new((long)FileBytes, 0);
    private readonly GuestMemory _guest;
    private readonly RingLayout _layout;
    private readonly RawRing _raw;
    private readonly TwoSidedQueue _other = new(4);
    private readonly Chain _chain = new();

    /// <summary>How far the device is: a driver that only ever ran ahead would show bad rings, and nothing else.</summary>
    private int _taken;

    public HostileDriverTests()
    {
        _file.At(0, (int)FileBytes).Fill(Canary);
        ulong user = _file.Layout.UserAddress;
        // The second adjoins the first in the guest, so that buffers can lie in both.
        var one = GuestMemory.Empty.TryAdd(new(Guest, FirstBytes, user + First, First), _file.File, out string why) ?? throw new InvalidOperationException(why);
        _guest = one.TryAdd(new(Guest + FirstBytes, SecondBytes, user + Second, Second), _file.File, out why) ?? throw new InvalidOperationException(why);
        one.Release();
        _file.At(First, (int)FirstBytes).Clear();
        _file.At(Second, (int)SecondBytes).Clear();
        _layout = new RingLayout(user + First, user + First + 0x1000, user + First + 0x2000);
        _raw = new RawRing(_file, _layout, Size);
    }

    public void Dispose()
    {
        _chain.Dispose();
        _guest.Release();
        _file.Dispose();
        _other.Dispose();
    }

    [Theory]
    [InlineData(1, 0UL)]
    [InlineData(2, Features.RingEventIndex)]
    public async Task Promise_1_RewritingTheRingUnderTheDeviceHurtsNobodyElse(int seed, ulong features)
    {
        using var stop = new CancellationTokenSource();
        var driver = Task.Factory.StartNew(() => Rewrite(new Random(seed), stop.Token), TaskCreationOptions.LongRunning);
        var outcomes = Work(features | Features.RingIndirectDescriptors);
        await stop.CancelAsync();
        await driver;

        AssertAroundTheRegions(0, First);
        AssertAroundTheRegions(First + FirstBytes, Second);
        AssertAroundTheRegions(Second + SecondBytes, FileBytes);
        Assert.True(IsVaried(outcomes), $"this shows nothing: {string.Join(' ', outcomes)}");
    }

    private static bool IsVaried(int[] outcomes) =>
        new[] { PopResult.Chain, PopResult.BadChain, PopResult.BadRing }.All(r => outcomes[(int)r] > 100);

    /// <summary>Pops, copies to and from another guest, gives back; makes the queue anew when its ring is bad.</summary>
    private int[] Work(ulong features)
    {
        var (source, target) = OtherGuest();
        byte[] around = _other.Memory.At(TwoSidedQueue.GuestBase, TwoSidedQueue.DefaultMemoryBytes).ToArray();
        int[] outcomes = new int[4];
        var queue = Create(features);
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < Duration || (!IsVaried(outcomes) && clock.Elapsed < Waiting.Patience);)
        {
            Volatile.Write(ref _taken, (int)queue.State);
            var result = queue.TryPop(_chain);
            outcomes[(int)result]++;
            if (result == PopResult.BadRing)
            {
                queue.Dispose();
                queue = Create(features);
                continue;
            }
            ulong written = result == PopResult.Chain ? Exchange(source, target) : 0;
            if (result != PopResult.Empty)
                queue.AddUsed(_chain.Ticket, (uint)written);
            queue.PublishUsed();
            queue.EnableKicks();
        }
        queue.Dispose();
        AssertOnlyTargetChanged(around, target);
        return outcomes;
    }

    private ulong Exchange((ulong Address, uint Length) source, (ulong Address, uint Length) target)
    {
        var readable = _chain.Readable;
        var room = PopOther(target, RawRing.Write).Writable;
        ulong expected = Math.Min(readable.Remaining, target.Length);
        Assert.Equal(expected, GuestCopy.Copy(ref readable, ref room, ulong.MaxValue));
        var writable = _chain.Writable;
        var data = PopOther(source, 0).Readable;
        expected = Math.Min(writable.Remaining, source.Length);
        Assert.Equal(expected, GuestCopy.Copy(ref data, ref writable, ulong.MaxValue));
        return expected;
    }

    private Chain PopOther((ulong Address, uint Length) buffer, int flags)
    {
        _other.Raw.Descriptor(0, buffer.Address, buffer.Length / 2, flags | RawRing.Next, next: 1);
        _other.Raw.Descriptor(1, buffer.Address + buffer.Length / 2, buffer.Length - buffer.Length / 2, flags);
        _other.Raw.Offer(0);
        Assert.Equal(PopResult.Chain, _other.Pop());
        _other.Device.AddUsed(_other.Chain.Ticket, 0);
        _other.Device.PublishUsed();
        return _other.Chain;
    }

    private ((ulong Address, uint Length) Source, (ulong Address, uint Length) Target) OtherGuest()
    {
        _other.Memory.Allocate(5000);
        var source = (_other.Memory.Allocate(6000), 6000u);
        _other.Memory.Allocate(333);
        var target = (_other.Memory.Allocate(7001), 7001u);
        return (source, target);
    }

    private void AssertOnlyTargetChanged(byte[] before, (ulong Address, uint Length) target)
    {
        var now = _other.Memory.At(TwoSidedQueue.GuestBase, TwoSidedQueue.DefaultMemoryBytes);
        int from = (int)(target.Address - TwoSidedQueue.GuestBase), ring = 0x100; // its own ring, at the start
        Assert.True(now[ring..from].SequenceEqual(before.AsSpan()[ring..from]));
        Assert.True(now[(from + (int)target.Length)..].SequenceEqual(before.AsSpan()[(from + (int)target.Length)..]));
    }

    private DeviceQueue Create(ulong features) =>
        DeviceQueue.TryCreate(_guest, _layout, Size, features, _raw.AvailableIndex, out string why) ?? throw new InvalidOperationException(why);

    private void AssertAroundTheRegions(ulong from, ulong to) =>
        Assert.Equal(-1, _file.At(from, (int)(to - from)).IndexOfAnyExcept(Canary));

    private void Rewrite(Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            for (int i = 0; i < 16; i++)
            {
                var (address, length, flags, next) = RandomDescriptor(random);
                if (random.Next(2) == 0)
                    _raw.Descriptor(random.Next(Size), address, length, flags, next);
                else
                    _raw.TableEntry(First + 0x3000, random.Next(TableEntries), address, length, flags, next);
            }
            if ((ushort)(_raw.AvailableIndex - Volatile.Read(ref _taken)) >= Size)
                Thread.Yield();
            else
                _raw.Offer(random.Next(200) == 0 ? random.Next(0x10000) : random.Next(Size));
            if (random.Next(500) == 0)
                _raw.AvailableIndex = (ushort)random.Next(0x10000);
            if (random.Next(100) == 0)
                _raw.UsedIndex = (ushort)random.Next(0x10000);
        }
    }

    private static (ulong Address, uint Length, int Flags, int Next) RandomDescriptor(Random random)
    {
        ulong address = random.Next(20) switch
        {
            0 => (ulong)random.NextInt64(),
            1 => ulong.MaxValue - (ulong)random.Next(100),
            2 => Guest + FirstBytes + SecondBytes - (ulong)random.Next(100), // runs out of memory
            3 => Guest + FirstBytes - (ulong)random.Next(100), // over the border
            4 => Guest + (ulong)random.Next(0x3000), // the rings themselves
            _ => Guest + (ulong)random.Next((int)(FirstBytes + SecondBytes)),
        };
        int flags = random.Next(12) == 0 ? random.Next(8) : random.Next(3) == 0 ? RawRing.Next : RawRing.Write * random.Next(2);
        if (random.Next(6) == 0)
            return (Guest + 0x3000, (uint)(16 * random.Next(1, TableEntries + 1)), RawRing.Indirect, 0);
        uint length = random.Next(30) == 0 ? (uint)random.NextInt64(1L << 32) : (uint)random.Next(4000);
        return (address, length, flags, random.Next(40) == 0 ? random.Next(0x10000) : random.Next(Size));
    }
}
