using System.Diagnostics;
using System.Globalization;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>
/// A guest changes its descriptors, heads, indices, headers and used rings from another processor while the loop works on
/// them. All it has in its memory are bytes below 0x80; its honest peer has others. So a byte that comes from anywhere else is
/// seen where it arrives, as is every byte that changes outside a buffer. For FLIP_SECONDS; 3 if it is not set.
/// </summary>
public sealed class FlipTests : IDisposable
{
    private const int Size = 256, HostileCanary = 0x2a, HonestCanary = 0xc5, HonestByte = 0xb7;
    private const int FrameBytes = FlipGuest.BufferBytes / 2 - NetHeader.Bytes;

    private static readonly byte[] PlainHeader = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

    private readonly FlipGuest _hostile = new(Size, HostileCanary);
    private readonly FlipGuest _honest = new(Size, HonestCanary);
    private readonly TrafficCounters _toHonest = new(), _toHostile = new();
    private readonly LoopFixture _fixture = new();
    private readonly List<NetJoin> _joins = [];
    private volatile bool _stop;
    private volatile bool _broken;
    private int _restarts;

    [Theory]
    [InlineData("split")]
    [InlineData("packed")]
    public void NothingReadTwiceHurtsAnybodyElse(string rings)
    {
        PrepareBuffers();
        FlipDriver driver = rings == "packed" ? new PackedFlipDriver(_hostile) : new SplitFlipDriver(_hostile);
        using var honestSend = _honest.End(_honest.Send, _honest.SendCounters);
        using var honestReceive = _honest.End(_honest.Receive, _honest.ReceiveCounters);
        _fixture.Loop.RingFault = (_, _) => _broken = true;
        _fixture.Loop.Invoke(() => Join(driver, honestSend, honestReceive));
        var flipper = new Thread(() => Flip(driver, honestSend, honestReceive));
        flipper.Start();
        long received = 0;
        try
        {
            received = ReceiveAndSend();
        }
        finally
        {
            _stop = true;
            flipper.Join();
            _fixture.Loop.RingFault = null;
            _fixture.Loop.Invoke(Unjoin);
        }
        CheckMemory();
        long faults = _hostile.SendCounters.Faults.Concat(_hostile.ReceiveCounters.Faults).Sum(f => f.Count);
        Assert.True(received > 0 && faults > 0 && _restarts > 0, $"{received} frames received, {faults} faults, {_restarts} starts of rings");
        Assert.Empty(_honest.SendCounters.Faults.Concat(_honest.ReceiveCounters.Faults));
        long dropped = _toHonest.Drops.Concat(_toHostile.Drops).Sum(d => d.Count);
        Console.WriteLine($"flip test, {rings} rings: {_toHonest.Frames} frames to the honest guest, {_toHostile.Frames} to the hostile one, {dropped} dropped, {faults} faults, {_restarts} starts of rings");
    }

    public void Dispose()
    {
        _fixture.Dispose();
        _hostile.Dispose();
        _honest.Dispose();
    }

    private void PrepareBuffers()
    {
        for (int i = 0; i < Size; i++)
        {
            _hostile.Memory.At(FlipGuest.SendBuffer(i), FlipGuest.BufferBytes / 2).Fill((byte)(i & 0x7f));
            _hostile.Memory.At(FlipGuest.SendBuffer(i), NetHeader.Bytes).Clear();
            _honest.Memory.At(FlipGuest.SendBuffer(i), FlipGuest.BufferBytes / 2).Fill(HonestByte);
            _honest.Memory.At(FlipGuest.SendBuffer(i), NetHeader.Bytes).Clear();
        }
        _honest.Receive.AvailableIndex = Size;
        _honest.Send.AvailableIndex = Size;
    }

    /// <summary>Starts the hostile guest's rings anew, as after a reset. In the loop's thread.</summary>
    private void Join(FlipDriver driver, QueueEnd honestSend, QueueEnd honestReceive)
    {
        _restarts++;
        _joins.Add(new NetJoin(driver.SendEnd(), honestReceive, TimeSpan.FromSeconds(60), _toHonest));
        _joins.Add(new NetJoin(honestSend, driver.ReceiveEnd(), TimeSpan.Zero, _toHostile));
        _joins.ForEach(_fixture.Loop.Add);
    }

    private void Unjoin()
    {
        foreach (var join in _joins)
            _fixture.Loop.Remove(join);
        if (_joins.Count > 0)
        {
            _joins[0].Source.Dispose();
            _joins[1].Target!.Dispose();
        }
        _joins.Clear();
    }

    /// <summary>The hostile guest: goes on spoiling; rings that are broken begin anew.</summary>
    private void Flip(FlipDriver driver, QueueEnd honestSend, QueueEnd honestReceive)
    {
        var random = new Random(1);
        while (!_stop)
        {
            driver.Flip(random);
            if (!_broken && !driver.IsStuck)
                continue;
            _fixture.Loop.Invoke(Unjoin);
            driver.Reset();
            _broken = false;
            _fixture.Loop.Invoke(() => Join(driver, honestSend, honestReceive));
        }
    }

    /// <summary>The honest guest: looks at every byte that it gets.</summary>
    private long ReceiveAndSend()
    {
        var inFlight = Enumerable.Repeat(true, Size).ToArray();
        ushort seen = 0;
        long received = 0;
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < Time;)
        {
            FlipGuest.Feed(_honest.Send);
            for (ushort used = _honest.Receive.UsedIndex; seen != used; seen++, received++)
            {
                var (id, length) = _honest.Receive.UsedEntry(seen);
                Assert.True(id < Size && inFlight[id], $"buffer {id} is given back, and was not with the device");
                inFlight[id] = false;
                CheckFrame((int)id, length);
                _honest.Receive.SetHead(seen, (ushort)id);
                inFlight[id] = true;
            }
            _honest.Receive.AvailableIndex = (ushort)(seen + Size);
        }
        return received;
    }

    /// <summary>A header of this receiver's kind, then bytes of the sender's alone; behind them and around the buffer nothing is new.</summary>
    private void CheckFrame(int id, uint length)
    {
        Assert.InRange(length, (uint)(NetHeader.Bytes + 14), (uint)FlipGuest.BufferBytes);
        var around = _honest.Memory.At(FlipGuest.ReceiveBuffer(id) - FlipGuest.BufferBytes / 2, 2 * FlipGuest.BufferBytes);
        var buffer = around.Slice(FlipGuest.BufferBytes / 2, FlipGuest.BufferBytes);
        Assert.True(buffer[..NetHeader.Bytes].SequenceEqual(PlainHeader), "the header is not one of a frame without offloads");
        int at = buffer[NetHeader.Bytes..(int)length].IndexOfAnyExceptInRange((byte)0, (byte)0x7f);
        Assert.True(at < 0, "a byte that the sender does not have was delivered");
        buffer[..(int)length].Fill(HonestCanary);
        at = around.IndexOfAnyExcept((byte)HonestCanary);
        Assert.True(at < 0, $"a byte outside the frame has changed, {at} behind the last one of the buffer before");
    }

    private void CheckMemory()
    {
        foreach (var guest in new[] { _hostile, _honest })
        {
            Assert.Equal(0ul, guest.FirstTouched(FlipGuest.Base, FlipGuest.Base + FlipGuest.Gap));
            Assert.Equal(0ul, guest.FirstTouched(FlipGuest.SendAt + FlipGuest.Area, FlipGuest.ReceiveAt));
            Assert.Equal(0ul, guest.FirstTouched(FlipGuest.ReceiveAt + FlipGuest.Area, FlipGuest.Base + FlipGuest.FileBytes));
        }
        for (int i = 0; i < Size; i++)
        {
            ulong behind = FlipGuest.SendBuffer(i) + FlipGuest.BufferBytes / 2;
            Assert.Equal(0ul, _honest.FirstTouched(behind, behind + FlipGuest.BufferBytes / 2));
            Assert.Equal(0ul, _hostile.FirstTouched(behind, behind + FlipGuest.BufferBytes / 2));
            // What was sent from is as it was: nothing is written into a buffer that is for reading.
            Assert.True(_honest.Memory.At(FlipGuest.SendBuffer(i) + NetHeader.Bytes, FrameBytes).IndexOfAnyExcept((byte)HonestByte) < 0);
            Assert.True(_hostile.Memory.At(FlipGuest.SendBuffer(i) + NetHeader.Bytes, FrameBytes).IndexOfAnyExcept((byte)(i & 0x7f)) < 0);
        }
    }

    private static TimeSpan Time => TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("FLIP_SECONDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) ? seconds : 3);
}
