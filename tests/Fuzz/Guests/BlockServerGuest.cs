using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Model;

namespace InterGuest.Fuzz.Guests;

/// <summary>The server's queue for requests: buffers, most of them large enough.</summary>
internal sealed class BlockRequestsGuest(Arena arena, Input input) : BlockGuest(arena, input)
{
    public void Act()
    {
        for (int count = Math.Min(Room, Input.Below(7)); count > 0; count--)
            Offer([], 0, Input.Below(8) switch { 0 => Input.Below(64), 1 => 40 + Input.Below(600), _ => 40 + 4096 + Input.Below(600) }, _ => true);
        Spoil();
    }
}

/// <summary>The server's queue for what it says: announcements and replies, right and wrong (docs/block-serving.md, sections 2 and 3).</summary>
internal sealed class BlockRepliesGuest(Arena arena, Input input) : BlockGuest(arena, input)
{
    private static readonly ReferenceDisk Plain = new(1, 0, 4096, 7, 512, 3, 4096, 1024, 2048, "fuzz");

    public void Act(ReferenceBlock block)
    {
        for (int count = Math.Min(Room, Input.Below(6)); count > 0; count--)
            Say(block.IsReady && !Input.Chance(6) ? Reply(block) : Announce(block));
        Spoil();
    }

    private void Say(byte[] message)
    {
        if (Input.Chance(3))
            message[Input.Below(message.Length)] ^= (byte)(1 << Input.Below(8));
        if (Input.Chance(2))
            message = message[..Input.Below(message.Length + 1)];
        Offer(message, Input.Chance(5) ? Input.Below(100) : 0, Input.Chance(3) ? Input.Below(50) : 0, _ => true);
    }

    private byte[] Announce(ReferenceBlock block)
    {
        var disk = block.Disk ?? Plain with { Flags = (uint)Input.Below(32), BlockSize = Input.Pick<uint>(512, 512, 1024, 4096), Capacity = 8 * (ulong)Input.Between(1, 600), MaxData = Input.Pick<uint>(4096, 8192, 65536) };
        if (block.Disk != null)
            disk = disk with { Capacity = disk.Capacity + 8 * (ulong)Input.Below(3), Cache = Input.Pick<ulong>(disk.Cache, disk.Cache, disk.Cache + 1, 0), MaxData = Input.Chance(block.IsReady ? 3 : 50) ? Input.Pick<uint>(4096, 8192, 65536) : disk.MaxData };
        if (Input.Chance(8))
            disk = Spoilt(disk);
        int more = Input.Chance(5) ? Input.Below(200) : 0;
        return [.. Head(3, 24 + more, ReferenceDisk.Bytes, Input.Chance(4) ? block.Epoch - 1 : block.Epoch), .. new byte[12 + more], .. disk.Write()];
    }

    private ReferenceDisk Spoilt(ReferenceDisk disk) => Input.Below(10) switch
    {
        0 => disk with { Version = Input.U32() },
        1 => disk with { Flags = Input.U32() },
        2 => disk with { Capacity = Input.U64() },
        3 => disk with { BlockSize = Input.Pick<uint>(0, 256, 512, 1024, 2048, 8192, Input.U32()) },
        4 => disk with { Exponent = Input.Byte() },
        5 => disk with { MaxData = Input.Pick<uint>(0, 512, 4095, 4608, 16 << 20, (16 << 20) + 512, Input.U32()) },
        6 => disk with { MaxDiscard = Input.Pick<uint>(0, 1, Input.U32()) },
        7 => disk with { MaxZeroes = Input.Pick<uint>(0, 1, Input.U32()) },
        8 => disk with { Id = "another" },
        _ => disk with { Id = "a\0b" + (char)Input.Byte() },
    };

    private byte[] Reply(ReferenceBlock block)
    {
        var waiting = block.WithServer.ToArray();
        if (waiting.Length == 0)
            return [.. Head(4, 28, 0, block.Epoch), .. Input.Pattern(16)];
        var (request, part) = waiting[Input.Below(waiting.Length)];
        byte[] tag = block.Tag(request, part);
        if (Input.Chance(5))
            tag[Input.Below(16)] ^= (byte)(1 << Input.Below(8));
        uint status = Input.Chance(85) ? 0 : Input.Pick<uint>(1, 2, 3, Input.U32());
        int data = request.Operation == ReferenceRequest.In ? request.Parts[part].Bytes : 0;
        if (Input.Chance(5))
            data = Math.Max(0, data + Input.Pick(1, -1, 512, -512));
        int more = Input.Chance(5) ? Input.Below(200) : 0;
        byte[] message = [.. Head(4, 28 + more, data, 0)[..8], .. tag, .. BitConverter.GetBytes(status), .. new byte[more], .. Input.Pattern(data)];
        if (Input.Chance(3))
            BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(4), Input.U32());
        return message;
    }

    /// <summary>The first 12 bytes of a message.</summary>
    private static byte[] Head(int type, int header, int data, uint epoch)
    {
        byte[] head = new byte[12];
        BinaryPrimitives.WriteUInt16LittleEndian(head, (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(2), (ushort)header);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), (uint)data);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), epoch);
        return head;
    }
}
