using InterGuest.Agent.Tests.Fakes;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Agent.Tests.Block;

/// <summary>The device's side of a virtio block device with a disk in memory (VIRTIO 1.2, 5.2), for tests of drivers.</summary>
internal sealed class FakeBlockDevice(FakeDevice device, byte[] disk) : IDisposable
{
    private readonly CancellationTokenSource _cancel = new();
    private readonly List<BlockOperation> _done = [];
    private Task _running = Task.CompletedTask;

    /// <summary>What was done, in order.</summary>
    public IReadOnlyList<BlockOperation> Done => _done;

    /// <summary>The configuration space of a disk.</summary>
    public static byte[] Configuration(int diskBytes)
    {
        byte[] bytes = new byte[BlockConfig.Bytes];
        var disk = new BlockAnnouncement
        {
            Capacity = (ulong)diskBytes / 512, MaxData = 1 << 20, BlockSize = 512,
            Flags = BlockAnnouncementFlags.Discard | BlockAnnouncementFlags.WriteZeroes | BlockAnnouncementFlags.Unmap,
            MaxDiscard = 2048, MaxWriteZeroes = 64,
        };
        BlockConfig.Write(bytes, disk, 1, 126, writeback: false);
        return bytes;
    }

    /// <summary>Does requests on a thread of its own from now on.</summary>
    public FakeBlockDevice Run()
    {
        _running = Task.Run(() =>
        {
            while (!_cancel.IsCancellationRequested)
                if (!TryServe())
                    Thread.Sleep(1);
        });
        return this;
    }

    /// <summary>Takes a request and does not do it.</summary>
    public bool TrySwallow()
    {
        using var chain = new Chain();
        return device.Queues[0].TryPop(chain) == PopResult.Chain;
    }

    /// <summary>Does a request.</summary>
    public bool TryServe()
    {
        using var chain = new Chain();
        if (device.Queues[0].TryPop(chain) != PopResult.Chain)
            return false;
        byte[] readable = new byte[chain.ReadableBytes];
        var from = chain.Readable;
        from.Read(readable);
        var request = BlockRequest.Parse(readable);
        var to = chain.Writable;
        int data = (int)chain.WritableBytes - 1;
        byte[] answer = new byte[data + 1];
        Do(request, readable.AsSpan(BlockRequest.Bytes), answer.AsSpan(0, data), out answer[data]);
        to.Write(answer);
        _done.Add(request.Operation);
        device.Use(0, chain, (uint)answer.Length);
        return true;
    }

    public void Dispose()
    {
        _cancel.Cancel();
        _running.GetAwaiter().GetResult();
        _cancel.Dispose();
    }

    private void Do(BlockRequest request, Span<byte> written, Span<byte> read, out byte status)
    {
        int at = (int)request.Sector * 512;
        status = (byte)BlockStatus.Ok;
        switch (request.Operation)
        {
            case BlockOperation.In when at + read.Length <= disk.Length:
                disk.AsSpan(at, read.Length).CopyTo(read);
                break;
            case BlockOperation.Out when at + written.Length <= disk.Length:
                written.CopyTo(disk.AsSpan(at));
                break;
            case BlockOperation.Discard or BlockOperation.WriteZeroes:
                var range = BlockRange.Parse(written);
                disk.AsSpan((int)range.Sector * 512, (int)range.Sectors * 512).Clear();
                break;
            case BlockOperation.Flush:
                break;
            default:
                status = (byte)BlockStatus.IoError;
                break;
        }
    }
}
