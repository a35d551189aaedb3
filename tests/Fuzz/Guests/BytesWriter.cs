using InterGuest.Fuzz.Engine;

namespace InterGuest.Fuzz.Guests;

/// <summary>
/// A driver that writes chains of a size that it chooses: bytes for the device to read, then room for it to write, cut into
/// pieces anywhere; with something wrong now and then.
/// </summary>
internal sealed class BytesWriter(GuestPlan plan, QueuePlace place, bool indirect)
{
    private const int MostPieces = 24;

    /// <summary>How many of 100 chains have something wrong.</summary>
    public int WrongPercent { get; init; } = 4;

    /// <summary>Writes a chain that begins at <paramref name="head"/>.</summary>
    /// <returns>How many descriptors of the queue's table it took.</returns>
    public int Write(Input input, int head, int readable, int writable)
    {
        var pieces = new List<(ulong Address, uint Length, int Flags)>();
        Cut(input, pieces, readable, 0);
        Cut(input, pieces, writable, GuestPlan.Write);
        if (pieces.Count == 0)
            pieces.Add((0, 0, 0));
        if (input.Chance(WrongPercent))
        {
            var (address, length, flags) = pieces[input.Below(pieces.Count)];
            pieces[input.Below(pieces.Count)] = input.Chance(50) ? (input.U64(), length, flags) : (address, input.U32(), flags ^ GuestPlan.Write);
        }
        bool table = pieces.Count > place.Size || (indirect && input.Chance(40));
        if (!table)
        {
            for (int i = 0; i < pieces.Count; i++)
                Store(place.Descriptors + 16 * ((head + i) % place.Size), pieces, i, (head + i + 1) % place.Size);
            return pieces.Count;
        }
        ulong at = plan.Table(input, 16 * pieces.Count);
        for (int i = 0; i < pieces.Count; i++)
            plan.Arena.StoreAt(at + 16 * (ulong)i, Entry(pieces, i, i + 1));
        plan.Arena.Store(place.Descriptors + 16 * head, GuestPlan.Descriptor(at, (uint)(16 * pieces.Count), GuestPlan.Indirect, 0));
        return 1;
    }

    private void Cut(Input input, List<(ulong, uint, int)> pieces, int bytes, int flags)
    {
        bool whole = input.Chance(50);
        for (int left = bytes, count = MostPieces / 2; left > 0; count--)
        {
            var region = plan.Buffers[input.Below(plan.Buffers.Count)];
            int length = whole || count == 1 ? left : input.Between(1, left);
            // Where it fits, if it does; else over the end.
            if (count > 1)
                length = (int)Math.Min((ulong)length, region.Size);
            ulong offset = (ulong)input.Below((int)Math.Max(1, (long)region.Size - length + 1));
            pieces.Add((region.GuestAddress + offset, (uint)length, flags));
            left -= length;
        }
        if (input.Chance(5))
            pieces.Add((input.U64(), 0, flags));
    }

    private void Store(int offset, List<(ulong, uint, int)> pieces, int index, int next) => plan.Arena.Store(offset, Entry(pieces, index, next));

    private static byte[] Entry(List<(ulong Address, uint Length, int Flags)> pieces, int index, int next) => GuestPlan.Descriptor(
        pieces[index].Address, pieces[index].Length, pieces[index].Flags | (index < pieces.Count - 1 ? GuestPlan.Next : 0), next);
}
