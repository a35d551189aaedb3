using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>The end of a request: its status, and every byte that it asked for, written (VIRTIO 1.2, 5.2.6).</summary>
internal static class Completion
{
    private static readonly byte[] Zeros = new byte[4096];

    /// <summary>Ends a request whose data, if the status is good, are in its chain already.</summary>
    public static void End(ClientQueue queue, Flight flight, BlockStatus status)
    {
        var client = queue.Client;
        if (flight.IsSpoilt)
        {
            GiveBack(queue, flight);
            return;
        }
        var place = flight.Chain.Writable;
        ulong data = place.Remaining - 1;
        bool hasData = status == BlockStatus.Ok && flight.Operation is BlockOperation.In or BlockOperation.GetId;
        if (hasData)
            place.Advance(data);
        else
            for (ulong left = data; left > 0; left -= Math.Min(left, (ulong)Zeros.Length))
                place.Write(Zeros.AsSpan(0, (int)Math.Min(left, (ulong)Zeros.Length)));
        place.Write([(byte)status]);
        client.Counters.Done(flight.Operation, flight.DataBytes, status);
        client.Counters.Latency.Took(flight.Began);
        if (status == BlockStatus.Ok)
            Note(client, flight);
        queue.Finish(flight, (uint)(data + 1));
    }

    /// <summary>
    /// Ends a request that cannot be done, and whose buffers are not to be filled: a driver looks at the status, which was good
    /// the last time perhaps. The byte before the end is no beginning, so the length is 0 (2.7.8.2).
    /// </summary>
    public static void GiveBack(ClientQueue queue, Flight flight)
    {
        var place = flight.Chain.Writable;
        if (place.Remaining > 0)
        {
            place.Advance(place.Remaining - 1);
            place.Write([(byte)BlockStatus.IoError]);
        }
        queue.Finish(flight, 0);
    }

    private static void Note(BlockClient client, Flight flight)
    {
        if (flight.Operation == BlockOperation.Flush)
            client.FlushDone(flight.WritesBefore);
        else if (flight.Operation != BlockOperation.In && flight.Operation != BlockOperation.GetId)
            client.WriteDone();
    }
}
