using System.Buffers.Binary;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>
/// Inflight regions (vhost-user, "Inflight I/O tracking"): what a switch leaves behind its successor finds; and what a
/// front-end writes there instead is refused, or names heads of the ring, each once.
/// </summary>
public sealed class InflightRegionTests : IDisposable
{
    private const int Size = 8, HeadBytes = 16, EntryBytes = 16;
    private const int DescriptorsAt = 10, LastBatchHeadAt = 12, UsedIndexAt = 14, VersionAt = 8, NextAt = 6;

    private readonly InflightRegion _region = InflightRegion.Create(2, Size);

    public void Dispose() => _region.Dispose();

    [Fact]
    public void ASuccessorFindsWhatWasTakenInItsOrder()
    {
        var queue = _region.Queues[1];
        foreach (ushort head in new ushort[] { 5, 0, 3, 7 })
            queue.Taken(head);
        queue.Used(0);
        queue.Published(1);
        Assert.Equal([5, 3, 7], Recover(1, usedIndex: 1)!);
        Assert.Equal([], Recover(0, usedIndex: 0)!);
    }

    /// <summary>It died between the used index and the marks: what the driver can see is done.</summary>
    [Fact]
    public void ABatchThatTheDriverSeesIsDone()
    {
        var queue = _region.Queues[0];
        for (ushort head = 0; head < 4; head++)
            queue.Taken(head);
        queue.Used(2);
        queue.Published(1);
        queue.Used(1);
        queue.Used(3);
        Assert.Equal([0], Recover(0, usedIndex: 3)!);
        Assert.Equal([0], Recover(0, usedIndex: 3)!); // and now it is noted
    }

    /// <summary>And before: nothing of it is.</summary>
    [Fact]
    public void ABatchThatTheDriverDoesNotSeeIsNotDone()
    {
        var queue = _region.Queues[0];
        queue.Taken(4);
        queue.Taken(6);
        queue.Used(4);
        Assert.Equal([4, 6], Recover(0, usedIndex: 0)!);
    }

    [Theory]
    [InlineData(VersionAt, 2)]
    [InlineData(VersionAt, 0xffff)]
    [InlineData(DescriptorsAt, 0)]
    [InlineData(DescriptorsAt, Size + 1)]
    [InlineData(HeadBytes + 3 * EntryBytes, 2)] // neither in flight nor not
    [InlineData(HeadBytes + 3 * EntryBytes, 0xff)]
    public void WhatWeNeverWriteIsRefused(int at, int value)
    {
        _region.Queues[0].Taken(1);
        Poke(at, (ushort)value);
        Assert.Null(Recover(0, usedIndex: 0));
    }

    /// <summary>The list of the last batch: heads outside the ring, and a list that ends in itself.</summary>
    [Theory]
    [InlineData(Size, 0, false)]
    [InlineData(0xffff, 0, false)]
    [InlineData(2, Size, false)]
    [InlineData(2, 2, true)]
    public void ABatchThatCannotBe(int last, int next, bool isTaken)
    {
        var queue = _region.Queues[0];
        queue.Taken(2);
        queue.Taken(3);
        Poke(LastBatchHeadAt, (ushort)last);
        if (last < Size)
            Poke(HeadBytes + last * EntryBytes + NextAt, (ushort)next);
        Assert.Equal(isTaken ? [3] : null, Recover(0, usedIndex: 2));
    }

    /// <summary>An index that no batch explains, with requests on their way.</summary>
    [Fact]
    public void AUsedIndexFarAwayIsRefusedIfAnythingIsOnItsWay()
    {
        Assert.Equal([], Recover(0, usedIndex: 1000)!);
        _region.Queues[0].Taken(2);
        Poke(UsedIndexAt, 500);
        Assert.Null(Recover(0, usedIndex: 1000));
    }

    /// <summary>Whatever the front-end writes, and while it writes it: heads of the ring, each once, or none.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task AnyBytesGiveHeadsOfTheRingOrNone(int seed)
    {
        const int rounds = 5000;
        using var other = MapAgain();
        using var stop = new CancellationTokenSource();
        var scribbler = Task.Factory.StartNew(() => Scribble(other, new Random(seed), stop.Token), TaskCreationOptions.LongRunning);
        int found = 0, refused = 0;
        try
        {
            for (int i = 0; i < rounds || (i < 100 * rounds && (found == 0 || refused == 0)); i++)
            {
                if (Recover(0, (ushort)i) is not { } heads)
                {
                    refused++;
                    continue;
                }
                found += heads.Length;
                Assert.All(heads, h => Assert.InRange(h, 0, Size - 1));
                Assert.Equal(heads.Length, heads.Distinct().Count());
            }
        }
        finally
        {
            await stop.CancelAsync();
            await scribbler;
        }
        Assert.True(found > 0 && refused > 0, $"this shows nothing: {found} heads, {refused} regions refused");
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0, 4096)]
    [InlineData(0, ulong.MaxValue)]
    public void ARegionThatIsNotInItsFileIsRefused(ulong missing, ulong offset)
    {
        Assert.Null(InflightRegion.TryOpen(_region.File.Duplicate(), InflightRegion.Bytes(2, Size) - missing, offset, 2, Size, out string reason));
        Assert.NotEqual("", reason);
    }

    [Fact]
    public void WhatIsNoMemoryFileIsRefused()
    {
        using var bell = EventFd.Create();
        Assert.Null(InflightRegion.TryOpen(bell.Descriptor.Duplicate(), 4096, 0, 2, Size, out string reason));
        Assert.NotEqual("", reason);
    }

    private static void Scribble(InflightRegion region, Random random, CancellationToken stop)
    {
        var queue = region.Queues[0];
        while (!stop.IsCancellationRequested)
        {
            // Mostly a region that is well, with one byte that is not.
            queue.Clear();
            for (int i = random.Next(4); i > 0; i--)
                queue.Taken((ushort)random.Next(Size));
            PokeIn(region, random.Next(HeadBytes + Size * EntryBytes), (byte)random.Next(random.Next(2) == 0 ? 256 : 3));
        }
    }

    private ushort[]? Recover(int queue, ushort usedIndex)
    {
        using var successor = MapAgain();
        return successor.Queues[queue].TryRecover(usedIndex, out ushort[] heads) ? heads : null;
    }

    private InflightRegion MapAgain() =>
        InflightRegion.TryOpen(_region.File.Duplicate(), InflightRegion.Bytes(2, Size), 0, 2, Size, out string why) ?? throw new InvalidOperationException(why);

    private void Poke(int at, ushort value)
    {
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        PokeIn(_region, at, bytes[0]);
        if (at < HeadBytes || at % EntryBytes == NextAt)
            PokeIn(_region, at + 1, bytes[1]);
    }

    private static void PokeIn(InflightRegion region, int at, byte value)
    {
        using var memory = new DriverMemory(region.File.Duplicate(), (long)InflightRegion.Bytes(2, Size), 0);
        memory.At((ulong)at, 1)[0] = value;
    }
}
