using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Block;

/// <summary>A request to a disk, on its way: given to <see cref="AttachBlockRole"/>, and done when <see cref="Done"/> says so.</summary>
/// <param name="operation">IN, OUT, FLUSH, DISCARD or WRITE_ZEROES.</param>
/// <param name="sector">The first one.</param>
/// <param name="sectors">How many; 0 for FLUSH.</param>
/// <param name="data">What to write; room for what is read.</param>
/// <param name="unmap">WRITE_ZEROES may discard.</param>
internal sealed class BlockOrder(BlockOperation operation, ulong sector, uint sectors, Memory<byte> data, bool unmap = false)
{
    private readonly TaskCompletionSource<BlockStatus> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What to do.</summary>
    public BlockOperation Operation => operation;

    /// <summary>How it ended.</summary>
    public Task<BlockStatus> Done => _done.Task;

    private bool HasRange => operation is BlockOperation.Discard or BlockOperation.WriteZeroes;

    /// <summary>Sends it. There must be room.</summary>
    /// <returns>Its slot.</returns>
    public int Send(BlockDriver driver)
    {
        Span<byte> range = stackalloc byte[BlockRange.Bytes];
        new BlockRange(sector, sectors, unmap ? BlockRange.Unmap : 0).Write(range);
        var request = new BlockRequest(operation, HasRange || operation == BlockOperation.Flush ? 0 : sector);
        return operation switch
        {
            BlockOperation.In => driver.Send(request, [], data.Length),
            BlockOperation.Out => driver.Send(request, data.Span, 0),
            _ => driver.Send(request, HasRange ? range : [], 0),
        };
    }

    /// <summary>Takes what was read, and tells how it ended.</summary>
    public void Complete(BlockDriver driver, int slot, BlockStatus status)
    {
        if (operation == BlockOperation.In && status == BlockStatus.Ok)
            driver.Data(slot, data.Length).CopyTo(data.Span);
        _done.TrySetResult(status);
    }

    /// <summary>Nobody will do it any more.</summary>
    public void Fail() => _done.TrySetResult(BlockStatus.IoError);
}
